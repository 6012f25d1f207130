"""Requests of a batch, per shard."""

from __future__ import annotations

from itertools import count
from typing import Any

import hiredis
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.durable import write_durable
from engines.workload.dataset import ALL_KEYS, TelemetryPool
from engines.workload.streams import BatchStream, Partition
from tests.support.lane_context import lane_context

SHARDS = {"a:1": range(5_461), "b:1": range(5_461, 10_923), "c:1": range(10_923, 16_384)}


class FakeSession:
    """A session whose connections are their addresses."""

    connections = {address: address for address in SHARDS}  # noqa: RUF012 - never changed


@given(st.integers(1, 300), st.integers(1, 10**9), st.integers(0, 10**6))
def test_a_batch_is_the_sets_of_its_rows_each_to_the_shard_of_its_key(
    rows: int, first_version: int, seed: int
) -> None:
    slot_map = SlotMap([SlotRange(s.start, s.stop - 1, a) for a, s in SHARDS.items()], lambda: None)
    telemetry = TelemetryPool(seed)
    context = lane_context(slot_map, telemetry)

    def batches() -> BatchStream:
        return BatchStream(seed, Partition(), ALL_KEYS, rows, count(first_version))

    pack: Any = hiredis.pack_command  # its stub takes tuples of one
    expected: dict[str, list[bytes]] = {}
    for car_id, sample, version in batches().next():
        name = f"telemon:{car_id}".encode()
        (write_node,) = (address for address, slots in SHARDS.items() if key_slot(name) in slots)
        value = b"%d:%b:%d" % (car_id, telemetry.payload[sample], version)
        expected.setdefault(write_node, []).append(pack((b"SET", name, value)))
    session: Any = FakeSession
    requests: Any = next(write_durable(session, batches(), context))
    assert {connection: (request, due) for connection, request, due in requests} == {
        address: (b"".join(sets), len(sets)) for address, sets in expected.items()
    }
