"""Numbers that a server gives, whatever it gives."""

from __future__ import annotations

import ast
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.backends.mysql import optional as mysql_optional
from engines.backends.redis import optional as redis_optional
from engines.backends.server_facts import _plain_value
from engines.text import NUMBER_DIGITS, foreign_number
from engines.wire.resp import RedisErrorReply, redirect
from tests.support.foreign_values import NO_NUMBERS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        ("-7", -7),
        (b"120", 120),
        (5, 5),
        (2.0, 2),
        (Decimal("12"), 12),
        ("9" * NUMBER_DIGITS, 10**NUMBER_DIGITS - 1),
        ("0007", 7),
    ],
)
def test_what_a_server_means_as_a_number_is_one(value: object, number: int) -> None:
    assert foreign_number(value) == number


@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_anything_else_is_none_everywhere(value: object) -> None:
    assert foreign_number(value) is None
    assert redis_optional.number({"field": value}, "field") is None
    assert mysql_optional.numbers([("Uptime", value), ("Questions", "5")]) == {"Questions": 5}
    assert isinstance(_plain_value(value), str)


@given(st.one_of(st.text(), st.binary(), st.floats(), st.integers(), st.none(), st.decimals()))
def test_no_value_raises_and_no_number_is_too_long_to_be_shown(value: object) -> None:
    number = foreign_number(value)
    assert number is None or len(f"{number:,}") < 2 * NUMBER_DIGITS


@given(st.text(), st.text())
def test_a_redirect_is_one_only_with_a_slot_and_a_port(slot: str, port: str) -> None:
    found = redirect(RedisErrorReply.of(f"MOVED {slot} 10.0.0.1:{port}"))
    assert found is None or (slot.lstrip("-") + port).isascii()


@pytest.mark.parametrize("number", ["\u0663\u0661", "9" * 5_000, "1e3", "", "6379 "])
def test_a_redirect_to_what_is_no_port_leads_nowhere(number: str) -> None:
    assert redirect(RedisErrorReply.of(f"MOVED 7 10.0.0.1:{number}")) is None
    assert redirect(RedisErrorReply.of(f"MOVED {number} 10.0.0.1:6379")) is None


ROOMS_THAT_READ_SERVERS = (
    *(
        "backends",
        "consistency",
        "doctor",
        "endpoints",
        "lanes",
        "provisioning",
        "wire",
        "workload",
    ),
)

OWN_TEXT = {
    ("backends/dialer.py", "family"),  # of the socket module
    ("backends/mysql/checked_connection.py", "self.server_version.partition('.')[0]"),  # guarded
    ("backends/mysql/session.py", "self._committing"),  # telemon's own
    ("backends/redis/signature.py", "pid"),  # ten ASCII digits at most, by its form
    ("consistency/read_back.py", "version"),  # 19 digits of bytes at most
    ("endpoints/listener.py", "columns[USER]"),  # the kernel's
    ("endpoints/listener.py", "columns[INODE]"),  # the kernel's
    ("endpoints/address.py", "port"),  # the user's, or a server's that was one before
    ("endpoints/node_addresses.py", "address"),  # of the ipaddress module
    ("workload/namespace.py", "digits"),  # eight digits of bytes at most
    ("doctor/network/certificate.py", "(self.ends_utc_s - time.time()) // 86400"),
    ("doctor/redis/sign_in.py", "port"),  # of the socket module
    ("lanes/cached.py", "duplicate"),  # telemon's own
    ("wire/resp_limits.py", "length"),  # 20 digits of bytes at most
}
"""Conversions of what no server wrote, or of what is known to be digits before."""


def test_no_text_of_a_server_is_read_as_a_number_in_any_other_way() -> None:
    found = set()
    for room in ROOMS_THAT_READ_SERVERS:
        for path in (ROOT / "engines" / room).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Name)
                    and call.func.id in ("int", "float")
                    and not (call.args and isinstance(call.args[0], ast.Constant))
                ):
                    where = path.relative_to(ROOT / "engines").as_posix()
                    found.add((where, ast.unparse(call.args[0])))
    assert found == OWN_TEXT
