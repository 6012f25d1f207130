"""Acknowledged rows beside stored ones; and a server that hangs or fails while they are read."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest

from engines.consistency.read_back import LaneRows, _verdict, compare, read_back
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.ipc.messages import AcknowledgedRows
from engines.model.read_back import LostRow, ReadBack
from engines.workload.dataset import TelemetryPool, payload

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
