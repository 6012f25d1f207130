"""Rows of a table as payloads, whatever the server puts into them."""

from __future__ import annotations

import pytest

from engines.backends.mysql import client as mysql
from engines.backends.mysql.client import cursor
from engines.backends.mysql.rows import join_rows, read_rows
from engines.endpoints.endpoint import MySQLEndpoint
from engines.provisioning import cache as module
from engines.workload.dataset import HOT_KEYS
from engines.workload.redis_keys import is_row
from tests.support.hostile_tables import mysql_with_rows

WHOLE = (b"50000000", b"750", b"60", b"80", b"30", b"7")


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([WHOLE], {50_000_000: b"50000000:750:60:80:30:7"}),
        ([(*WHOLE[:3], None, *WHOLE[4:])], {50_000_000: b"50000000:750:60:NULL:30:7"}),
        ([(None, *WHOLE[1:]), (), (b"x",), (b"-1",), (b"9" * 21,)], {}),
        ([(b"7",), (b"7",)], {7: b"7, 7"}),
    ],
)
def test_a_row_is_its_values(rows: list[tuple[bytes | None, ...]], found: dict[int, bytes]) -> None:
    assert join_rows(rows) == found


def endpoint(port: int) -> MySQLEndpoint:
    return MySQLEndpoint("127.0.0.1", port, "u", "p", "d")


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"9" * 5_000, b"1e3", b"0x10"])
def test_no_value_of_a_column_is_refused(value: bytes | None) -> None:
    with (
        mysql_with_rows([(*WHOLE[:5], value)]) as port,
        cursor(endpoint(port)) as at,
    ):
        ((car_id, row),) = read_rows(at, "cars", "TRUE").items()
    assert car_id == 50_000_000
    assert not is_row(car_id, row)


def test_what_is_no_row_is_not_put_into_a_cache() -> None:
    """Not by a filled start either, which ends with an error of its server."""
    for row in ((b"50000001", None, *WHOLE[2:]), (b"50000002", *WHOLE[1:5], b"9" * 20)):
        with mysql_with_rows([WHOLE, row]) as port, pytest.raises(mysql.FAILURES) as raised:
            list(module._rows(endpoint(port), HOT_KEYS))
        assert "not six numbers" in str(raised.value)
    with mysql_with_rows([WHOLE]) as port:
        found = list(module._rows(endpoint(port), HOT_KEYS))
    assert found == [(50_000_000, b"50000000:750:60:80:30:7")]
