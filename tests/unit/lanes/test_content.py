"""What a read brings counts as a row only if it is one of the car asked for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.driver.outcome import Completed
from engines.driver.session import Connection, Session, SessionConnections
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.cached import read_cached, read_cached_deck
from engines.lanes.content import is_payload, is_row, payload_bounds
from engines.lanes.context import MYSQL_ADDRESS
from engines.lanes.durable import read_durable
from engines.lanes.mysql import read_mysql, read_mysql_deck
from engines.wire.dialect import MYSQL, REDIS
from engines.workload.dataset import TelemetryPool
from tests.support.lane_context import lane_context

CAR = 50_000_123
ROW = [(b"2375.0000", b"75.0000", b"100.0000", b"90.0000", b"12345")]
PAYLOAD = b"50000123:2375:75:100:90:12345"

WRONG_PAYLOADS = [
    b"",
    b"50000123",
    b"50000124:2375:75:100:90:12345",  # of another car
    b"5000012:2375:75:100:90:12345",
    b"500001230:2375:75:100:90:12345",
    b"{}",
    b"OK",
    b"\xff" * 40,
]
WRONG_ROWS: list[list[tuple[bytes | None, ...]]] = [
    [],
    [ROW[0], ROW[0]],
    [(b"1",)],
    [()],
    [(b"2375.0000", None, b"100.0000", b"90.0000", b"12345")],
    [(b"2375.0000", b"75.0000", b"100.0000", b"90.0000", None)],
    [(b"2375.0000", b"75.0000", b"100.0000", b"90.0000", b"twelve")],
    [(b"2375.0000", b"75.0000", b"100.0000", b"90.0000", b"-1")],
    [(b"8.0.36", b"MySQL", b"x", b"y", b"z")],
]

Reader = Callable[..., Any]


def session() -> Session:
    """A session whose connections are closed."""
    made = Session()
    made.connections = SessionConnections(
        lambda address: Connection(
            made, address, MYSQL if address == MYSQL_ADDRESS else REDIS, socket.socket
        )
    )
    return made


def outcome(read: Reader, *replies: Any) -> tuple[Completed, list[bytes]]:
    """Read `CAR`, answered by `replies`; return the result and the requests."""
    slot_map = SlotMap([SlotRange(0, 16_383, "a:1")], lambda: None)
    keys = chain([CAR], repeat(CAR + 1))
    program = read(session(), keys.__next__, lane_context(slot_map, TelemetryPool(1)))
    step: Any = next(program)
    requests = [step[1]]
    for reply in replies:
        step = program.send(reply)
        requests.append(step[1])
    return step[3], requests[:-1]


@pytest.mark.parametrize("read", [read_durable, read_cached, read_cached_deck])
@pytest.mark.parametrize("value", WRONG_PAYLOADS)
def test_a_value_that_is_no_row_of_the_car_is_no_row_and_no_hit(read: Reader, value: bytes) -> None:
    ended, _ = outcome(read, value)
    assert (ended.wrong_content, ended.rows, ended.hits, ended.misses) == (1, 0, 0, 0)
    ended, _ = outcome(read, PAYLOAD)
    assert (ended.wrong_content, ended.rows, ended.hits) == (0, 1, 1)


@pytest.mark.parametrize("read", [read_mysql, read_mysql_deck])
@pytest.mark.parametrize("rows", WRONG_ROWS)
def test_a_result_that_is_no_row_is_none(read: Reader, rows: Any) -> None:
    ended, _ = outcome(read, rows)
    assert (ended.wrong_content, ended.rows, ended.skipped) == (1, 0, 0)
    ended, _ = outcome(read, ROW)
    assert (ended.wrong_content, ended.rows) == (0, 1)


@pytest.mark.parametrize("read", [read_cached, read_cached_deck])
@pytest.mark.parametrize(
    "rows", [*WRONG_ROWS, [(b"a.0", b"75.0000", b"100.0000", b"90.0000", b"12345")]]
)
def test_what_is_no_row_is_not_stored_in_the_cache(read: Reader, rows: Any) -> None:
    ended, requests = outcome(read, None, rows)
    assert (ended.wrong_content, ended.rows, ended.misses, ended.fills) == (1, 0, 1, 0)
    assert [b"SET" in request for request in requests] == [False, False]
    ended, requests = outcome(read, None, ROW, b"OK")
    assert (ended.wrong_content, ended.rows, ended.misses, ended.fills) == (0, 1, 1, 1)
    assert PAYLOAD in requests[2]


def test_a_car_that_does_not_exist_is_no_wrong_content() -> None:
    ended, _ = outcome(read_mysql, [(None,) * 5])
    assert (ended.wrong_content, ended.skipped) == (0, 1)


@given(st.integers(0, 10**9), st.binary(max_size=30))
def test_the_bounds_of_a_car_hold_its_payloads_and_no_others(car_id: int, value: bytes) -> None:
    low, high = payload_bounds(car_id)
    head = b"%d:" % car_id
    for each in (value, head + value, head[:-1] + value, head[:-1], head, high):
        assert (low <= each < high) == each.startswith(head)


@given(st.lists(st.lists(st.none() | st.binary(max_size=4), max_size=6).map(tuple), max_size=2))
def test_only_one_row_of_five_numbers_is_a_row(rows: list[tuple[bytes | None, ...]]) -> None:
    assert is_row(rows) == (
        len(rows) == 1
        and len(rows[0]) == 5
        and None not in rows[0]
        and (rows[0][4] or b"").isdigit()
    )


def test_the_form_of_a_payload() -> None:
    assert is_payload(PAYLOAD)
    for value in (
        *WRONG_PAYLOADS[:2],
        PAYLOAD + b"\n",
        b"1:2:3:4:5",
        b"1:2:3:4:5:6:7",
        b"1:2:3::5:6",
    ):
        assert not is_payload(value)
