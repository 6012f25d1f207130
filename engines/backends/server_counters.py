"""Counters of the servers, polled once per second during the race, separately for each server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Condition, Thread
from time import monotonic
from typing import Protocol

from engines.backends.counter_reading import CounterReading, counter_delta
from engines.backends.mysql import client as mysql
from engines.backends.mysql.counters import MySQLCounters
from engines.backends.redis import client as redis
from engines.backends.redis.counters import RedisCounters
from engines.endpoints.deadline import Deadline
from engines.endpoints.endpoint import LaneEndpoints

POLL_EVERY_S = 1.0
"""Seconds between two readings of a server."""

FINAL_READ_WAIT_S = 1.0
"""Seconds that the end of a race waits for the final readings."""

READ_LIMIT_S = 10.0
"""Total time in seconds of a reading, a new connection included. Less gives up a server that is only slow."""

CLOSE_WAIT_S = 0.5
"""Seconds to wait for the pollers to end. What they wait for is interrupted, so that they end at once."""

WENT_DOWN = "went down, and what it counted last with it"
TOOK_OVER = "changed its role between two readings, and what it copied is among its counts"
ANOTHER = "is another server now, which had counted before"
TOO_LATE = "did not say in time what it had counted in the end"
JOINED = "joined in the middle of the race, when it had counted before"


class CounterSource(Protocol):
    """Source of counters: a server, or the nodes of a cluster."""

    @property
    def caveat(self) -> str:
        """Return the reason why the counts may include more than the work of clients; empty if there is none."""
        ...

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the names of the counters that the servers do not show."""
        ...

    def read(self) -> Mapping[str, CounterReading]:
        """Return the current counters of the servers that answer, by address."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class _CounterDeltas:
    """Increase of the counters of one source, whichever of its servers counted."""

    def __init__(self, source: CounterSource) -> None:
        self._source = source
        self._deadline = Deadline("reading the counters", READ_LIMIT_S)
        self._last: dict[str, tuple[float, CounterReading]] = {}
        """Address -> time of the last reading (monotonic clock, s) and the reading."""
        self._answered: set[str] = set()
        """Addresses that answered the last reading."""
        self._caveats: dict[str, str] = {}
        """Address -> reason why its counts may be incomplete or too high."""
        self.nodes: dict[str, dict[str, int]] = {}
        """Address -> increase of its counters, without what `exclude` named."""
        self._excluded: list[tuple[str, Mapping[str, int]]] = []
        """Address, and how far telemon itself moved the counters there since the last reading."""

    def begin(self) -> None:
        """Read the initial values."""
        with self._deadline:
            readings = self._source.read()
        self._last = {at: (monotonic(), reading) for at, reading in readings.items()}
        self._answered = set(self._last)

    def read(self) -> None:
        """Read the counters now. A server that does not answer keeps its last values."""
        readings: Mapping[str, CounterReading] = {}
        # Before the reading: it shows everything that was excluded until now.
        excluded, self._excluded = self._excluded, []
        with suppress(Exception), self._deadline:
            readings = self._source.read()
        nodes = dict(self.nodes)
        for address, now in readings.items():
            read_at_s, last = monotonic(), self._last.get(address)
            self._last = {**self._last, address: (read_at_s, now)}
            if last is None:
                self._caveats[address] = JOINED
                continue
            before_s, before = last
            delta = counter_delta(before, now, read_at_s - before_s)
            if delta is None:
                self._caveats[address] = ANOTHER
                continue
            if now.up_s < before.up_s:
                self._caveats[address] = WENT_DOWN
            elif now.others.keys() != before.others.keys():
                self._caveats[address] = TOOK_OVER
            moved = dict(nodes.get(address, {}))
            for name, value in delta.items():
                moved[name] = moved.get(name, 0) + value
            nodes[address] = moved
        for address, counts in excluded:
            if address not in readings:
                self.exclude(address, counts)
            elif address in nodes:
                nodes[address] = {
                    name: value - counts.get(name, 0) for name, value in nodes[address].items()
                }
        self.nodes = nodes
        self._answered = set(readings)

    def exclude(self, address: str, counts: Mapping[str, int]) -> None:
        """Leave out what a completed command of telemon itself, outside of the race, has counted on a node."""
        self._excluded.append((address, counts))

    @property
    def moved(self) -> dict[str, int]:
        """Return the increase of the counters, summed over the nodes."""
        moved: dict[str, int] = {}
        for node in self.nodes.values():
            for name, value in node.items():
                moved[name] = moved.get(name, 0) + value
        return moved

    def counter_caveats(self, *, late: bool) -> list[str]:
        """Return the reasons, one sentence each, why the increase may differ from what clients did.

        `late` says that the final reading has not arrived.
        """
        silent = dict.fromkeys(self._last.keys() - self._answered, WENT_DOWN)
        if late:
            silent = {**dict.fromkeys(self._last, TOO_LATE), **silent}
        caveats = [
            f"{address} {why}" for address, why in sorted({**self._caveats, **silent}.items())
        ]
        return [*caveats, *filter(None, [self._source.caveat])]

    def interrupt(self) -> None:
        """End the reading that is in progress, and every later one, from another thread."""
        self._deadline.end()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class _CounterPoller:
    """Thread that reads one source once per second and on request. A server that hangs delays no other source."""

    def __init__(self, deltas: _CounterDeltas) -> None:
        self.deltas = deltas
        self._changed = Condition()
        self._requested = 0
        """Number of requested readings."""
        self._answered = 0
        """Number of requested readings that are done."""
        self._ended = False
        self._thread = Thread(target=self._run, name="server counters", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self.late, POLL_EVERY_S)
                if self._ended:
                    break
                requested = self._requested
            self.deltas.read()
            with self._changed:
                self._answered = requested
                self._changed.notify_all()
        self.deltas.close()

    @property
    def late(self) -> bool:
        """Return whether a requested reading is not done yet."""
        return self._answered < self._requested

    def request(self) -> None:
        """Request a reading that begins now."""
        with self._changed:
            self._requested += 1
            self._changed.notify_all()

    def wait(self, until_s: float) -> None:
        """Block until the requested reading is done, at most until `until_s` (monotonic clock)."""
        with self._changed:
            self._changed.wait_for(lambda: not self.late, max(0.0, until_s - monotonic()))

    def end(self) -> None:
        """Stop reading, at once. The thread closes the connections itself, because it may be using them."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self.deltas.interrupt()

    def join(self, until_s: float) -> None:
        """Block until the thread has ended, at most until `until_s` (monotonic clock)."""
        self._thread.join(max(0.0, until_s - monotonic()))


class ServerCounters:
    """Increase of the servers' counters since `start`, by lane."""

    def __init__(self, endpoints: Mapping[str, LaneEndpoints]) -> None:
        self._endpoints = endpoints
        self._pollers: dict[str, list[_CounterPoller]] = {lane: [] for lane in endpoints}
        self.unreadable: dict[str, str] = {}
        """Lane -> error of a server whose counters cannot be read, for example for lack of rights."""

    def start(self) -> None:
        """Read the initial values and start the pollers of all readable sources. Blocks."""
        for lane, endpoint in self._endpoints.items():
            for source in _counter_sources(endpoint):
                deltas = _CounterDeltas(source)
                try:
                    deltas.begin()
                except (*mysql.FAILURES, *redis.FAILURES) as error:
                    self.unreadable[lane] = mysql.error_text(error, endpoint.namespace)
                    deltas.close()
                else:
                    if source.missing:
                        missing = ", ".join(source.missing)
                        self.unreadable[lane] = f"the server does not show {missing}"
                    poller = _CounterPoller(deltas)
                    poller.start()
                    self._pollers[lane].append(poller)

    def _all_pollers(self) -> list[_CounterPoller]:
        return [poller for pollers in self._pollers.values() for poller in pollers]

    def read(self, within_s: float = FINAL_READ_WAIT_S) -> None:
        """Read all servers now. Block for at most `within_s` seconds in total."""
        for poller in self._all_pollers():
            poller.request()
        until_s = monotonic() + within_s
        for poller in self._all_pollers():
            poller.wait(until_s)

    def exclude(self, lane: str, address: str, counts: Mapping[str, int]) -> None:
        """Leave `counts` out of the counters of a lane's node, by their names. Any thread may call it.

        They are those of completed commands that telemon itself sent there, outside of the race.
        """
        for poller in self._pollers.get(lane, ()):
            poller.deltas.exclude(address, counts)

    @property
    def late(self) -> bool:
        """Return whether a server has not answered the last reading in time."""
        return any(poller.late for poller in self._all_pollers())

    def moved(self, lane: str) -> Mapping[str, int]:
        """Return the increase of the counters of a lane's servers since the start, as of the last reading."""
        moved: dict[str, int] = {}
        for poller in self._pollers.get(lane, ()):
            moved |= poller.deltas.moved
        return moved

    def nodes(self, lane: str) -> Mapping[str, Mapping[str, int]]:
        """Return the same for each node of a cluster, by address; empty for a lane without a cluster."""
        return {
            address: moved
            for poller in self._pollers.get(lane, ())
            if len(poller.deltas.nodes) > 1
            for address, moved in poller.deltas.nodes.items()
        }

    def counter_caveats(self, lane: str) -> tuple[str, ...]:
        """Return the reasons, one sentence each, why the increase may differ from what the lane did."""
        pollers = self._pollers.get(lane, ())
        return tuple(
            caveat
            for poller in pollers
            for caveat in poller.deltas.counter_caveats(late=poller.late)
        )

    def close(self) -> None:
        """Stop the pollers. Block for at most `CLOSE_WAIT_S`."""
        for poller in self._all_pollers():
            poller.end()
        until_s = monotonic() + CLOSE_WAIT_S
        for poller in self._all_pollers():
            poller.join(until_s)


def _counter_sources(endpoint: LaneEndpoints) -> Iterator[CounterSource]:
    if endpoint.mysql is not None:
        yield MySQLCounters(endpoint.mysql)
    if endpoint.redis is not None:
        yield RedisCounters(endpoint.redis)
