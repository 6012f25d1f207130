"""The servers' own counters, read once a second beside the race."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from typing import Protocol

from engines.endpoint import LaneEndpoints
from engines.servers import mysql, redis
from engines.servers.reading import Reading, step
from engines.servers.redis_counters import RedisCounters

EVERY_S = 1.0

WENT_DOWN = "went down, and what it counted last with it"
TOOK_OVER = "changed its role between two readings, and what it copied is among its counts"
ANOTHER = "is another server now, which had counted before"
JOINED = "joined in the middle of the race, when it had counted before"


class Source(Protocol):
    """A server, or the nodes of a cluster."""

    @property
    def doubt(self) -> str:
        """Why a count need not be that of clients alone; empty when there is no reason."""
        ...

    def read(self) -> Mapping[str, Reading]:
        """What is counted now, by address: of those that answer."""
        ...

    def close(self) -> None: ...


class _Tally:
    """How far the counters of one source have moved, whichever of its servers counted."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._last: dict[str, tuple[float, Reading]] = {}
        """By address the last reading, and when it was taken (monotonic)."""
        self._answered: set[str] = set()
        self._told: dict[str, str] = {}
        """By address, why its counts are not the whole truth."""
        self.nodes: dict[str, dict[str, int]] = {}
        """By address, how far its counters have moved."""

    def begin(self) -> None:
        """Take the values to count from."""
        self._last = {at: (monotonic(), reading) for at, reading in self._source.read().items()}
        self._answered = set(self._last)

    def read(self) -> None:
        """Ask now. A server that does not answer keeps its last values."""
        readings: Mapping[str, Reading] = {}
        with suppress(Exception):
            readings = self._source.read()
        nodes = dict(self.nodes)
        for address, now in readings.items():
            at_s, known = monotonic(), self._last.get(address)
            self._last[address] = at_s, now
            if known is None:
                self._told[address] = JOINED
                continue
            before_s, before = known
            steps = step(before, now, at_s - before_s)
            if steps is None:
                self._told[address] = ANOTHER
                continue
            if now.up_s < before.up_s:
                self._told[address] = WENT_DOWN
            elif now.others.keys() != before.others.keys():
                self._told[address] = TOOK_OVER
            moved = dict(nodes.get(address, {}))
            for name, value in steps.items():
                moved[name] = moved.get(name, 0) + value
            nodes[address] = moved
        self.nodes = nodes
        self._answered = set(readings)

    @property
    def moved(self) -> dict[str, int]:
        """The same of all of them together."""
        moved: dict[str, int] = {}
        for node in self.nodes.values():
            for name, value in node.items():
                moved[name] = moved.get(name, 0) + value
        return moved

    @property
    def doubts(self) -> list[str]:
        """Why what has moved need not be all that was done, a sentence each."""
        silent = dict.fromkeys(self._last.keys() - self._answered, WENT_DOWN)
        told = [f"{address} {why}" for address, why in sorted({**self._told, **silent}.items())]
        return [*told, *filter(None, [self._source.doubt])]

    def close(self) -> None:
        self._source.close()


class ServerCounters:
    """By lane, how far the servers' counters have moved since `start`."""

    def __init__(self, endpoints: Mapping[str, LaneEndpoints]) -> None:
        self._tallies: dict[str, list[_Tally]] = {lane: [] for lane in endpoints}
        self._lock = Lock()
        self._ended = Event()
        self._thread: Thread | None = None
        self.unreadable: dict[str, str] = {}
        """By lane, why the counters of a server of its cannot be read: a user need not be allowed to."""
        for lane, endpoint in endpoints.items():
            if endpoint.mysql is not None:
                self._tallies[lane].append(_Tally(mysql.MySQLCounters(endpoint.mysql)))
            if endpoint.redis is not None:
                self._tallies[lane].append(_Tally(RedisCounters(endpoint.redis)))

    def start(self) -> None:
        """Take the values to count from, and begin to read what can be read."""
        for lane, tallies in self._tallies.items():
            for tally in tuple(tallies):
                try:
                    tally.begin()
                except (*mysql.FAILURES, *redis.FAILURES) as error:
                    self.unreadable[lane] = mysql.said(error)
                    tallies.remove(tally)
                    tally.close()
        self._thread = Thread(target=self._poll, name="server counters", daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.read()

    def read(self) -> None:
        """Ask every server now."""
        with self._lock:
            for tallies in self._tallies.values():
                for tally in tallies:
                    tally.read()

    def moved(self, lane: str) -> Mapping[str, int]:
        """What a lane's servers have counted since the start, as last read."""
        moved: dict[str, int] = {}
        for tally in self._tallies.get(lane, ()):
            moved |= tally.moved
        return moved

    def nodes(self, lane: str) -> Mapping[str, Mapping[str, int]]:
        """The same for each node of a cluster, by its address; empty for a lane without one."""
        return {
            address: moved
            for tally in self._tallies.get(lane, ())
            if len(tally.nodes) > 1
            for address, moved in tally.nodes.items()
        }

    def doubts(self, lane: str) -> tuple[str, ...]:
        """Why that need not be all that they did for the lane, a sentence each."""
        return tuple(doubt for tally in self._tallies.get(lane, ()) for doubt in tally.doubts)

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=EVERY_S + 5)
        with self._lock:
            for tallies in self._tallies.values():
                for tally in tallies:
                    tally.close()
