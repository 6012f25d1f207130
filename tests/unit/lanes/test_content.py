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
from engines.lanes import content
from engines.lanes.cached import read_cached, read_cached_deck
from engines.lanes.content import (
    MAX_FORMS,
    TO_FORM,
    is_new_payload,
    is_row,
    payload_bounds,
    payload_forms,
    row_payload,
)
from engines.lanes.context import MYSQL_ADDRESS
from engines.lanes.durable import read_durable
from engines.lanes.mysql import read_mysql, read_mysql_deck
from engines.wire.dialect import MYSQL, REDIS
from engines.workload import redis_keys
from engines.workload.dataset import TelemetryPool
from tests.support.lane_context import lane_context

CAR = 50_000_123
ROW = [(b"2375.0000", b"75.0000", b"100.0000", b"90.0000", b"12345", b"50000123")]
PAYLOAD = b"50000123:2375:75:100:90:12345"

WRONG_PAYLOADS = [
    b"",
    b"50000123",
    b"50000124:2375:75:100:90:12345",  # of another car
    b"5000012:2375:75:100:90:12345",
    b"500001230:2375:75:100:90:12345",
    b"50000123:junk",
    b"50000123:",
    b"50000123:2375:75:100:90",
    b"50000123:2375:75:100:90:12345:6",
    b"50000123:2375:75:100:90:",
    b"50000123:2375::100:90:12345",
    b"50000123:2375:75:100:90:" + b"1" * 20,
    b"50000123:2375:75:100:90:" + b"1" * 30,
    b"50000123:2375:75:100:90:-1",
    b"50000123:2375:75:100:90:12345\n",
    b"50000123:2375:75.0:100:90:12345",
    b"50000123:" + b"0" * 5_000,
    b"{}",
    b"OK",
    b"\xff" * 40,
]
WRONG_ROWS: list[list[tuple[bytes | None, ...]]] = [
    [],
    [ROW[0], ROW[0]],
    [(b"1",)],
    [()],
    [(b"junk", b"x", b"y", b"z", b"5", b"50000123")],
    [(b"junk", b"x", b"y", b"z", b"5")],
    [(*ROW[0][:5], b"50000124")],  # of another car
    [(*ROW[0][:5], b"050000123")],
    [(*ROW[0][:5], b"100000246")],  # the sum of two rows
    [ROW[0][:5]],
    [(*ROW[0], b"1")],
    [(ROW[0][0], None, *ROW[0][2:])],
    [(*ROW[0][:4], None, ROW[0][5])],
    [(*ROW[0][:5], None)],
    [(*ROW[0][:4], b"twelve", ROW[0][5])],
    [(*ROW[0][:4], b"-1", ROW[0][5])],
    [(*ROW[0][:4], b"12345.0", ROW[0][5])],
    [(*ROW[0][:4], b"1" * 20, ROW[0][5])],
    [(*ROW[0][:4], b"1" * 30, ROW[0][5])],
    [(*ROW[0][:4], b"", ROW[0][5])],
    [(*ROW[0][:3], b"90.0000:1", b"12345", ROW[0][5])],
    [(*ROW[0][:3], b"90.x", b"12345", ROW[0][5])],
    [(b"a.0", *ROW[0][1:])],
    [(b"8.0.36", b"MySQL", b"x", b"y", b"z", b"50000123")],
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
@pytest.mark.parametrize("rows", WRONG_ROWS)
def test_what_is_no_row_is_not_stored_in_the_cache(read: Reader, rows: Any) -> None:
    ended, requests = outcome(read, None, rows)
    assert (ended.wrong_content, ended.rows, ended.misses, ended.fills) == (1, 0, 1, 0)
    assert [b"SET" in request for request in requests] == [False, False]
    ended, requests = outcome(read, None, ROW, b"OK")
    assert (ended.wrong_content, ended.rows, ended.misses, ended.fills) == (0, 1, 1, 1)
    assert PAYLOAD in requests[2]


def test_a_car_that_does_not_exist_is_no_wrong_content() -> None:
    ended, _ = outcome(read_mysql, [(None,) * 6])
    assert (ended.wrong_content, ended.skipped) == (0, 1)


@given(st.integers(0, 10**9), st.binary(max_size=30))
def test_the_bounds_of_a_car_hold_its_payloads_and_no_others(car_id: int, value: bytes) -> None:
    low, high = payload_bounds(car_id)
    head = b"%d:" % car_id
    for each in (value, head + value, head[:-1] + value, head[:-1], head, high):
        assert (low <= each < high) == each.startswith(head)


numbers = st.integers(0, 10**21).map(b"%d".__mod__)


def near(value: bytes, extra: bytes) -> st.SearchStrategy[bytes]:
    """Values like `value`, with a piece of it left out or `extra` bytes put in."""
    at = st.integers(0, len(value))
    return st.builds(
        lambda begin, end, put: value[:begin] + put + value[max(begin, end) :],
        *(at, at, st.sampled_from([extra[n : n + 1] for n in range(len(extra) + 1)])),
    )


@given(
    near(PAYLOAD, b"0:.-x\n") | st.lists(numbers, max_size=7).map(b":".join), st.integers(0, 10**8)
)
def test_a_payload_counts_if_it_is_what_telemon_takes_for_its_own(value: bytes, other: int) -> None:
    """The readers' quick check and the definition of the form agree, and so they do the second time."""
    for car_id, payload in ((CAR, value), (other, value), (CAR, b"%d:%b" % (CAR, value))):
        own = redis_keys.is_row(car_id, payload)
        low, high = payload_bounds(car_id)
        for _ in range(2):
            whole = low <= payload < high and (
                payload.translate(TO_FORM) in payload_forms or is_new_payload(payload)
            )
            assert whole == own


averages = st.builds(
    lambda whole, part: whole + part, numbers, st.sampled_from([b"", b".0000", b"."])
)


@given(
    st.lists(st.none() | averages | st.binary(max_size=4), min_size=4, max_size=6).map(
        lambda values: [(*values, b"%d" % CAR)]
    )
)
def test_a_selected_row_counts_if_its_payload_does(rows: list[tuple[bytes | None, ...]]) -> None:
    (values,) = rows
    for _ in range(2):
        if not is_row(rows, b"%d" % CAR):
            continue
        assert len(values) == 6
        assert redis_keys.is_row(CAR, row_payload(values))


def test_a_server_of_many_forms_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "payload_forms", set(payload_forms))
    for number in range(2 * MAX_FORMS):
        sizes = (number % 18 + 1, number // 18 % 18 + 1, number // 324 + 1)
        payload = b"50000123:1:%b:1" % b":".join(b"1" * size for size in sizes)
        assert is_new_payload(payload)
    assert len(content.payload_forms) == MAX_FORMS
