"""What each connection of an engine process does: its lane's program over its own share of the cars."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random

from engines.driver.session import Program, Session
from engines.endpoints.slot_map import Topology
from engines.ipc.messages import Spec
from engines.lanes.context import Context
from engines.lanes.fill_tracker import Fills
from engines.lanes.registry import READERS, WRITERS
from engines.lanes.request_cache import Gets, Selects
from engines.workload.dataset import DECK_MYSQL_WRITES, FLEET, HOT, Cars, Readings
from engines.workload.streams import Batches, Share, reader_keys


def write_cars(lane: str, preset: str) -> Cars:
    """The cars that a lane's writers cover."""
    return DECK_MYSQL_WRITES if preset == "deck" and lane != "durable" else FLEET


def read_cars(lane: str, preset: str) -> Cars:
    """The cars that a lane's readers ask for."""
    return FLEET if preset == "deck" and lane == "durable" else HOT


class Programs:
    """Makes the programs of one engine process; they share readings, versions, fills, the
    requests of readers and the ledger.

    `flowing` says whether operations may still begin, `redirected` is called for every MOVED or ASK.
    """

    def __init__(
        self, spec: Spec, flowing: Callable[[], bool], redirected: Callable[[], None]
    ) -> None:
        self._spec = spec
        self._flowing = flowing
        self._redirected = redirected
        self._readings = Readings(spec.seed)
        self._fills = Fills()
        # Up to 50,001 GETs, of 12 MB: one table for all readers.
        self._gets = Gets()
        self._selects = Selects()
        self._versions = count(spec.first_version)
        self._batches: list[Batches] = []
        self._batch_rows = spec.batch
        self._jitter = Random(f"{spec.seed}:ttl:{spec.process}").random
        self.ttl_ms = round(spec.ttl_s * 1000)
        """The time to live of the next fill."""
        self.topologies: list[Topology] = []
        """Where the lane's Redis is; several, each with other replicas to read from, are shared out."""
        self.ledger: dict[int, int] | None = {} if spec.ledger else None

    def _jittered_ttl_ms(self) -> int:
        spread = self._spec.ttl_jitter * (2 * self._jitter() - 1)
        return max(1, round(self.ttl_ms * (1 + spread)))

    def set_batch(self, rows: int) -> None:
        """From the next batch on, batches have so many rows."""
        self._batch_rows = rows
        for batches in self._batches:
            batches.rows = rows

    def deal(self, connections: int) -> list[Callable[[Session], Program]]:
        """A program for each of `connections` connections, with the cars dealt out anew among them. The programs of
        a former deal must have ended: no car has two writers."""
        self._batches = []
        return [self._program(connection, connections) for connection in range(connections)]

    def topology(self, connection: int) -> Topology | None:
        """The one that connection number `connection` goes by."""
        return self.topologies[connection % len(self.topologies)] if self.topologies else None

    def _program(self, connection: int, connections: int) -> Callable[[Session], Program]:
        spec = self._spec
        context = Context(
            readings=self._readings,
            gets=self._gets,
            selects=self._selects,
            topology=self.topology(connection),
            fills=self._fills,
            ttl_ms=self._jittered_ttl_ms if spec.ttl_jitter else lambda: self.ttl_ms,
            flowing=self._flowing,
            redirected=self._redirected,
            ledger=self.ledger,
        )
        if spec.role == "write":
            share = Share(spec.process, spec.processes, connection, connections)
            cars = write_cars(spec.lane, spec.preset)
            batches = Batches(spec.seed, share, cars, self._batch_rows, self._versions, spec.shape)
            self._batches.append(batches)
            write = WRITERS[spec.lane, spec.preset]
            return lambda session: write(session, batches, context)
        cars = read_cars(spec.lane, spec.preset)
        next_key = reader_keys(spec.seed, spec.process, connection, cars, spec.shape)
        read = READERS[spec.lane, spec.preset]
        return lambda session: read(session, next_key, context)
