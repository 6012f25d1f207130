"""Duplicate fills: of n readers that miss a key together, n - 1."""

from __future__ import annotations

import socket
from dataclasses import replace

from engines.driver.session import Connection, Session, SessionConnections
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.cached import read_cached
from engines.lanes.context import MYSQL_ADDRESS
from engines.lanes.fill_tracker import FillTracker
from engines.wire.dialect import MYSQL, REDIS
from engines.wire.resp import SLOTS
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from tests.support.lane_context import lane_context


def test_one_miss_after_another_is_no_duplicate() -> None:
    fills = FillTracker()
    assert not fills.begin(1, missed_from_ns=10)
    fills.end(1, now_ns=20)
    assert not fills.begin(1, missed_from_ns=30)


def test_a_fill_beside_another_is_a_duplicate() -> None:
    fills = FillTracker()
    assert not fills.begin(1, missed_from_ns=10)
    assert fills.begin(1, missed_from_ns=11)
    assert not fills.begin(2, missed_from_ns=11)
    fills.end(1, now_ns=20)
    fills.end(1, now_ns=21)


def test_a_miss_from_before_the_other_fill_ended_is_a_duplicate() -> None:
    fills = FillTracker()
    fills.begin(1, missed_from_ns=10)
    fills.end(1, now_ns=20)
    assert fills.begin(1, missed_from_ns=15)


def test_a_failed_fill_leaves_no_trace() -> None:
    fills = FillTracker()
    fills.begin(1, missed_from_ns=10)
    fills.end(1, now_ns=None)
    assert not fills.begin(1, missed_from_ns=5)


def test_a_fill_of_an_abandoned_operation_is_no_longer_in_flight() -> None:
    fills = FillTracker()
    session = Session()
    session.connections = SessionConnections(
        lambda address: Connection(
            session, address, MYSQL if address == MYSQL_ADDRESS else REDIS, socket.socket
        )
    )
    slot_map = SlotMap([SlotRange(0, SLOTS - 1, "a:1")], lambda: None)
    context = replace(lane_context(slot_map, TelemetryPool(1)), fills=fills)
    car_id = HOT_KEYS.first
    program = read_cached(session, lambda: car_id, context)
    next(program)
    program.send(None)  # A miss.
    step = program.send([(b"2345.0000", b"78.0000", b"101.0000", b"99.0000", b"1", b"%d" % car_id)])
    assert isinstance(step, tuple)
    assert b"SET" in step[1]
    assert fills.begin(car_id, 10) is True
    fills.end(car_id, None)
    program.close()
    assert fills.begin(car_id, 10) is False


def test_a_fill_that_ended_when_the_other_began_is_one_at_the_same_time() -> None:
    fills = FillTracker()
    fills.begin(1, missed_from_ns=10)
    fills.end(1, now_ns=20)
    assert fills.begin(1, missed_from_ns=20)
