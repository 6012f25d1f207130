"""Make the program of each connection of an engine process, over its own partition of the keys."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random

from engines.consistency.acknowledged import AcknowledgedRecord, Batch
from engines.driver.session import Program, Session
from engines.endpoints.slot_map import SlotMap
from engines.ipc.messages import EngineSpec
from engines.lanes.context import LaneContext
from engines.lanes.fill_tracker import FillTracker
from engines.lanes.registry import READ, WRITE
from engines.lanes.request_cache import GetCache, SelectCache
from engines.model.lanes import LANES
from engines.workload.dataset import ALL_KEYS, DECK_MYSQL_WRITES, HOT_KEYS, KeyRange, TelemetryPool
from engines.workload.statements import upsert_head
from engines.workload.streams import BatchStream, Partition, read_key_stream
from engines.workload.ttl import jittered_ttl_ms


def write_keys(lane: str, preset: str) -> KeyRange:
    """Return the keys that a lane's writers cover."""
    return DECK_MYSQL_WRITES if preset == "deck" and LANES[lane].writes_sql else ALL_KEYS


def read_keys(lane: str, preset: str) -> KeyRange:
    """Return the keys that a lane's readers ask for."""
    return ALL_KEYS if preset == "deck" and not LANES[lane].writes_sql else HOT_KEYS


class ProgramFactory:
    """The programs of one engine process and what they share.

    They share telemetry samples, versions, the fill tracker, the readers' requests and the record of acknowledged rows.
    `issuing` returns whether new operations may start. `redirected` is called for every MOVED or ASK.
    """

    def __init__(
        self, spec: EngineSpec, issuing: Callable[[], bool], redirected: Callable[[], None]
    ) -> None:
        self._spec = spec
        self._issuing = issuing
        self._redirected = redirected
        self._readings = TelemetryPool(spec.load.seed)
        self._fills = FillTracker()
        # Up to 50,001 GETs take 12 MB, so all readers share one table.
        namespace = spec.endpoints.namespace
        self._gets = GetCache(namespace.key_prefix)
        self._selects = SelectCache(namespace.table)
        self._upsert_head = upsert_head(namespace.table)
        self._versions = count(spec.first_version)
        self._batches: list[BatchStream] = []
        self._batch_rows = spec.load.batch
        self._jitter = Random(f"{spec.load.seed}:ttl:{spec.process}").random
        self._ttl_jitter = spec.load.ttl_jitter
        self.ttl_ms = round(spec.load.ttl_s * 1000)
        """TTL in ms of the next fill."""
        self.topologies: list[SlotMap] = []
        """The slot maps of the lane's Redis, each with other replicas to read from. Connections take turns."""
        self.acknowledged = AcknowledgedRecord(f"{spec.load.seed}:{spec.process}")
        self.versions: dict[int, int] = {}
        """By car, its last acknowledged version, if the spec asks for it."""

    def _jittered_ttl_ms(self) -> int:
        return jittered_ttl_ms(self.ttl_ms, self._ttl_jitter, self._jitter())

    def set_batch(self, rows: int) -> None:
        """Set the number of rows of every batch from the next one on."""
        self._batch_rows = rows
        for batches in self._batches:
            batches.rows = rows

    def partition(self, connections: int) -> list[Callable[[Session], Program]]:
        """Return a program for each of `connections` connections, among which the keys are partitioned.

        The programs of an earlier partition must have ended, or a key has two writers.
        """
        self._batches = []
        self.acknowledged.end_partition()
        return [self._program(connection, connections) for connection in range(connections)]

    def topology(self, connection: int) -> SlotMap | None:
        """Return the slot map of connection number `connection`; None if the role never talks to Redis."""
        return self.topologies[connection % len(self.topologies)] if self.topologies else None

    def _on_acknowledged(self) -> Callable[[Batch], object]:
        """Return the function to which a writer passes its acknowledged batches."""
        record = self.acknowledged.for_connection()
        if not self._spec.keep_versions:
            return record

        def keep(rows: Batch) -> None:
            record(rows)
            self.versions.update((car_id, version) for car_id, _, version in rows)

        return keep

    def _program(self, connection: int, connections: int) -> Callable[[Session], Program]:
        spec = self._spec
        context = LaneContext(
            telemetry=self._readings,
            upsert_head=self._upsert_head,
            key_prefix=spec.endpoints.namespace.key_prefix,
            gets=self._gets,
            selects=self._selects,
            slot_map=self.topology(connection),
            fills=self._fills,
            ttl_ms=self._jittered_ttl_ms if self._ttl_jitter else lambda: self.ttl_ms,
            issuing=self._issuing,
            redirected=self._redirected,
            acknowledged=self._on_acknowledged(),
            given_up=self.acknowledged.give_up,
        )
        if spec.role == "write":
            share = Partition(spec.process, spec.processes, connection, connections)
            cars = write_keys(spec.lane, spec.load.preset)
            batches = BatchStream(
                spec.load.seed,
                share,
                cars,
                self._batch_rows,
                self._versions,
                spec.load.key_distribution,
            )
            self._batches.append(batches)
            write = WRITE[LANES[spec.lane].write, spec.load.preset]
            return lambda session: write(session, batches, context)
        cars = read_keys(spec.lane, spec.load.preset)
        next_key = read_key_stream(
            spec.load.seed, spec.process, connection, cars, spec.load.key_distribution
        )
        read = READ[LANES[spec.lane].read, spec.load.preset]
        return lambda session: read(session, next_key, context)
