"""Code inlined on the hot path of the lanes does the same wherever it is repeated."""

from __future__ import annotations

import socket
from itertools import count, cycle
from typing import Any

import pytest

from engines.driver.session import Connection, Session, SessionConnections
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.cached import read_cached
from engines.lanes.context import MYSQL_ADDRESS, LaneContext
from engines.lanes.durable import read_durable, set_request, write_durable
from engines.wire.dialect import MYSQL, REDIS
from engines.workload.dataset import ALL_KEYS, HOT_KEYS, TelemetryPool
from engines.workload.redis_keys import is_row
from engines.workload.streams import BatchStream, Partition
from tests.support.lane_context import lane_context

RANGES = [SlotRange(0, 8_191, "a:1", ("c:1",)), SlotRange(8_192, 16_383, "b:1")]


def session() -> Session:
    """A session whose connections are closed."""
    made = Session()
    made.connections = SessionConnections(
        lambda address: Connection(
            made, address, MYSQL if address == MYSQL_ADDRESS else REDIS, socket.socket
        )
    )
    return made


def context(slot_map: SlotMap) -> LaneContext:
    return lane_context(slot_map, TelemetryPool(7))


@pytest.mark.parametrize("replica", [None, 0])
def test_both_readers_start_an_operation_with_the_same_get(replica: int | None) -> None:
    """They alternate between two keys of different nodes, so that both caches miss first and hit then."""
    keys = [HOT_KEYS.first, HOT_KEYS.first + 1, *(HOT_KEYS.first + n for n in range(20))]
    steps: list[list[tuple[Any, ...]]] = []
    for read in (read_cached, read_durable):
        next_key = cycle(keys).__next__
        program = read(session(), next_key, context(SlotMap(RANGES, lambda: None, replica)))
        step: Any = next(program)
        steps.append([])
        for _ in range(3 * len(keys)):
            connection, *rest = step
            steps[-1].append((connection.address, *rest))
            step = program.send(b"a value")
    assert steps[0] == steps[1]
    assert {step[0] for step in steps[0]} == ({"a:1", "b:1"} if replica is None else {"c:1", "b:1"})
    # After the first operation each step carries the result of the previous one.
    assert [len(step) for step in steps[0]] == [3] + [4] * (3 * len(keys) - 1)


CAR = HOT_KEYS.first


@pytest.mark.parametrize(
    "value",
    [
        b"50000000:750:60:80:30:7",
        b"50000000:1:2:3:4:" + b"9" * 19,
        b"50000000:1:2:3:4:" + b"9" * 20,
        b"50000000:junk",
        b"50000001:750:60:80:30:7",
        b"",
    ],
)
def test_both_readers_judge_a_value_alike(value: bytes) -> None:
    results: list[Any] = []
    for read in (read_cached, read_durable):
        program = read(session(), lambda: CAR, context(SlotMap(RANGES, lambda: None)))
        next(program)
        step: Any = program.send(value)
        results.append(step[3])
        # The second time its form is known.
        again: Any = program.send(value)
        assert again[3] == step[3]
    assert results[0] == results[1]
    assert (results[0].hits, results[0].wrong_content) == ((1, 0) if is_row(CAR, value) else (0, 1))


def test_a_batch_consists_of_the_requests_of_its_rows() -> None:
    lane = context(SlotMap(RANGES, lambda: None))

    def batches() -> BatchStream:
        return BatchStream(7, Partition(), ALL_KEYS, 300, count(2))

    assert lane.slot_map is not None
    expected: dict[str, bytes] = {}
    for row in batches().next():
        slot, request = set_request(row, lane.telemetry, lane.key_prefix)
        address = lane.slot_map.write_node[slot]
        expected[address] = expected.get(address, b"") + request
    requests: Any = next(write_durable(session(), batches(), lane))
    assert {connection.address: request for connection, request, _ in requests} == expected
    assert sum(wanted for _, _, wanted in requests) == 300
