"""Acknowledged rows beside stored ones; and a server that hangs or fails while they are read."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest

from engines.backends.redis import client as redis_client
from engines.consistency import read_back as module
from engines.consistency.read_back import LaneRows, _verdict, compare, read_back
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.ipc.messages import AcknowledgedRows
from engines.model.read_back import LostRow, ReadBack
from engines.workload.dataset import TelemetryPool, payload
from tests.support.hostile_server import WELCOMED, hostile_server
from tests.support.hostile_tables import mysql_with_rows

TELEMETRY = TelemetryPool(1)
CAR = 50_000_000


def stored(version: int, sample: int = 3, car_id: int = CAR) -> bytes:
    return payload(car_id, TELEMETRY.payload[sample], version)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (stored(9), ReadBack(checked=1)),
        (stored(10, sample=4), ReadBack(checked=1)),
        (None, ReadBack(checked=1, missing=1, examples=(LostRow(CAR, 9, None),))),
        (stored(8), ReadBack(checked=1, older=1, examples=(LostRow(CAR, 9, 8),))),
        (stored(5), ReadBack(checked=1, unanswered=1)),
        (stored(9, sample=4), ReadBack(checked=1, different=1, examples=(LostRow(CAR, 9, 9),))),
        (
            stored(9, car_id=CAR + 1),
            ReadBack(checked=1, different=1, examples=(LostRow(CAR, 9, 9),)),
        ),
        (b"", ReadBack(checked=1, different=1, examples=(LostRow(CAR, 9, None),))),
        (b"\xff:9", ReadBack(checked=1, different=1, examples=(LostRow(CAR, 9, 9),))),
        (b"50000000:x", ReadBack(checked=1, different=1, examples=(LostRow(CAR, 9, None),))),
    ],
)
def test_a_stored_row_beside_the_acknowledged_one(value: bytes | None, expected: ReadBack) -> None:
    sample = AcknowledgedRows(rows=((CAR, 3, 9),), unanswered=((2, 3), (4, 6)))
    found = compare([sample], {CAR: value}, TELEMETRY)
    assert found == expected
    assert found.lost == len(found.examples)


def test_what_was_not_read_is_neither_there_nor_lost() -> None:
    sample = AcknowledgedRows(rows=((CAR, 3, 9), (CAR + 1, 3, 10)), unanswered=())
    found = compare([sample], {CAR: stored(9)}, TELEMETRY)
    assert (found.checked, found.lost, found.unread, found.timed_out) == (1, 0, 1, True)
    failed = compare([sample], {}, TELEMETRY, "table 'cars' does not exist")
    assert (failed.checked, failed.unread, failed.timed_out) == (0, 2, False)
    assert failed.problem == "table 'cars' does not exist"


def test_only_some_of_the_lost_rows_are_named() -> None:
    rows = tuple((CAR + number, 0, 9) for number in range(300))
    found = compare(
        [AcknowledgedRows(rows, ())], dict.fromkeys(car for car, _, _ in rows), TELEMETRY
    )
    assert found.lost == 300
    assert len(found.examples) == 5


def test_the_versions_without_an_answer_are_those_of_the_same_process() -> None:
    one = AcknowledgedRows(rows=((CAR, 3, 9),), unanswered=())
    two = AcknowledgedRows(rows=((CAR + 1, 3, 9),), unanswered=((8, 8),))
    found = compare([one, two], {CAR: stored(8), CAR + 1: stored(8, car_id=CAR + 1)}, TELEMETRY)
    assert (found.older, found.unanswered) == (1, 1)


@pytest.mark.parametrize("lane", ["mysql", "durable"])
def test_a_server_that_hangs_holds_nobody_for_longer_than_asked(lane: str) -> None:
    sample = AcknowledgedRows(rows=((CAR, 3, 9),), unanswered=())
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        endpoints = LaneEndpoints(
            lane,
            mysql=MySQLEndpoint("127.0.0.1", port, "u", "p", "d") if lane == "mysql" else None,
            redis=RedisEndpoint("127.0.0.1", port, "p", cluster=True)
            if lane == "durable"
            else None,
        )
        began_s = time.monotonic()
        found = read_back({lane: LaneRows(endpoints, [sample])}, TELEMETRY, within_s=0.2)
        assert time.monotonic() - began_s < 2.0
    assert found[lane] == ReadBack(unread=1, timed_out=True)


def test_a_server_that_is_gone_is_a_reason_and_no_loss() -> None:
    sample = AcknowledgedRows(rows=((CAR, 3, 9),), unanswered=())
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    endpoints = LaneEndpoints("mysql", mysql=MySQLEndpoint("127.0.0.1", port, "u", "p", "d"))
    found = read_back({"mysql": LaneRows(endpoints, [sample])}, TELEMETRY)["mysql"]
    assert (found.checked, found.unread, found.lost, found.timed_out) == (0, 1, 0, False)
    assert found.problem


def test_a_lane_without_acknowledged_rows_asks_no_server() -> None:
    nowhere = LaneEndpoints("mysql", mysql=MySQLEndpoint("192.0.2.1", 1, "u", "p", "d"))
    found = read_back({"mysql": LaneRows(nowhere, [AcknowledgedRows((), ())])}, TELEMETRY)
    assert found == {"mysql": ReadBack()}


@pytest.mark.parametrize(
    "value",
    [5, b"50000000:" + b"9" * 5_000, b"50000000:junk:99", b"50000000:8", b"50000001:1:2:3:4:99"],
    ids=["number", "many digits", "no readings", "two fields", "another car"],
)
def test_what_is_no_row_of_the_car_is_different_whatever_its_version(value: object) -> None:
    row = (50_000_000, 0, 7)
    assert _verdict(row, value, (), TelemetryPool(1)) == "different"  # type: ignore[arg-type]


SAMPLE = AcknowledgedRows(rows=((CAR, 3, 9),), unanswered=())


def acknowledged_at(lane: str, port: int) -> LaneRows:
    """Where the acknowledged row of `SAMPLE` should be."""
    if lane == "mysql":
        at = LaneEndpoints(lane, mysql=MySQLEndpoint("127.0.0.1", port, "u", "p", "d"))
    else:
        at = LaneEndpoints(lane, redis=RedisEndpoint("127.0.0.1", port, "p", cluster=False))
    return LaneRows(at, [SAMPLE])


WHOLE = (b"50000000", *TELEMETRY.payload[3].split(b":"), b"9")


@pytest.mark.parametrize(
    "rows",
    [
        [(*WHOLE[:1], None, *WHOLE[2:])],
        [(*WHOLE[:5], None)],
        [(*WHOLE[:5], b"9" * 5_000)],
        [(*WHOLE[:1], b"\xff\xfe", *WHOLE[2:])],
        [(*WHOLE[:1], b"", *WHOLE[2:])],
        [WHOLE[:1]],
        [(*WHOLE, b"1")],
        [WHOLE, WHOLE],
    ],
    ids=["NULL", "no version", "digits", "no text", "empty", "one", "seven", "twice"],
)
def test_no_value_of_a_table_is_taken_for_slowness(rows: list[tuple[bytes | None, ...]]) -> None:
    """A row that is there and altered is a difference, whatever a hostile server puts into it."""
    with mysql_with_rows(rows) as port:
        found = read_back({"mysql": acknowledged_at("mysql", port)}, TELEMETRY, 20.0)["mysql"]
    assert (found.checked, found.different, found.unread, found.timed_out) == (1, 1, 0, False)
    with mysql_with_rows([WHOLE]) as port:
        found = read_back({"mysql": acknowledged_at("mysql", port)}, TELEMETRY, 20.0)["mysql"]
    assert found == ReadBack(checked=1)


@pytest.mark.parametrize("rows", [[], [(None, *WHOLE[1:])], [(b"50000001", *WHOLE[1:])], [()]])
def test_a_row_of_no_car_that_was_asked_for_is_none(rows: list[tuple[bytes | None, ...]]) -> None:
    with mysql_with_rows(rows) as port:
        found = read_back({"mysql": acknowledged_at("mysql", port)}, TELEMETRY, 20.0)["mysql"]
    assert (found.checked, found.missing, found.unread) == (1, 1, 0)


def redis_says(reply: bytes) -> ReadBack:
    with hostile_server(b"", WELCOMED, reply) as port:
        return read_back({"durable": acknowledged_at("durable", port)}, TELEMETRY, 20.0)["durable"]


@pytest.mark.parametrize(
    "reply",
    [
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        b":5\r\n",
        b"*1\r\n$1\r\n9\r\n",
        b"+" + b"9" * 5_000 + b"\r\n",
    ],
)
def test_no_value_of_a_store_is_taken_for_slowness(reply: bytes) -> None:
    found = redis_says(reply)
    assert (found.checked, found.different, found.unread, found.timed_out) == (1, 1, 0, False)


def test_a_row_that_a_store_refuses_is_unread_for_its_reason() -> None:
    found = redis_says(b"-NOPERM this user has no permissions to access the key\r\n")
    assert (found.checked, found.unread, found.timed_out) == (0, 1, False)
    assert "no permissions" in found.problem


def test_a_slot_that_nobody_serves_is_a_reason_and_no_slowness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_client, "slot_map", lambda *_: [])
    found = read_back({"durable": acknowledged_at("durable", 1)}, TELEMETRY, 20.0)["durable"]
    assert (found.unread, found.timed_out) == (1, False)
    assert "no node serves slot" in found.problem


@pytest.mark.parametrize("error", [TypeError("'NoneType' object"), KeyError(7), OSError()])
def test_an_error_is_told_as_what_it_is_and_not_as_slowness(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "_mysql_rows", fail)
    found = read_back({"mysql": acknowledged_at("mysql", 1)}, TELEMETRY, 20.0)["mysql"]
    assert (found.unread, found.timed_out) == (1, False)
    assert type(error).__name__ in found.problem
    assert found.problem.startswith("internal error") is not isinstance(error, OSError)
