"""Checks of a MySQL server whose numbers are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from pymysql.cursors import Cursor

from engines.backends.mysql.schema import count_hot_rows
from engines.doctor.check import Check, CheckRunner, Status
from engines.doctor.mysql.checks import _check_free_connections
from engines.doctor.target import Target
from engines.endpoints.endpoint import MySQLEndpoint
from tests.support.foreign_values import NO_NUMBERS

TARGET = Target(MySQLEndpoint("db.example", 3306, "u", "p", "d"), ("mysql",), 10, 100)


class Answering:
    """A cursor that knows some values by name."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self._rows: Sequence[tuple[object, ...]] = ()

    def execute(self, statement: str) -> None:
        named = [(name, value) for name, value in self._values.items() if name in statement]
        one = statement.startswith("SELECT")
        self._rows = [tuple(value for _, value in named)] if one else named

    def fetchall(self) -> Sequence[tuple[object, ...]]:
        return self._rows

    def fetchone(self) -> tuple[object, ...] | None:
        return self._rows[0] if self._rows else None


def room(**values: object) -> Check:
    known: dict[str, object] = {
        "max_connections": "100",
        "max_allowed_packet": "16777216",
        "Threads_connected": "5",
        "max_user_connections": 0,
    }
    cursor = cast("Cursor", Answering({**known, **values}))
    (check,) = _check_free_connections(CheckRunner(), cursor, TARGET)
    return check


@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_a_number_that_is_none_is_not_known(value: object) -> None:
    for name in ("max_connections", "Threads_connected"):
        check = room(**{name: value})
        assert (check.status, check.finding) == (
            Status.OK,
            "the server does not say how many connections it takes",
        )
    for name in ("max_user_connections", "max_allowed_packet"):
        check = room(**{name: value})
        assert check.status is Status.OK
        assert check.finding.startswith("100 connections allowed, 4 in use")
    assert count_hot_rows(cast("Cursor", Answering({"COUNT(*)": value})), "cars") == 0


def test_a_number_is_known() -> None:
    assert room(max_user_connections="5").problem == "no_room"
    assert room(max_allowed_packet="1000").problem == "batch_too_large"
    assert count_hot_rows(cast("Cursor", Answering({"COUNT(*)": "12"})), "cars") == 12
