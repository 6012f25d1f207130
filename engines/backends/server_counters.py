"""The servers' own counters, read once a second beside the race, of each server on its own."""

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
from engines.endpoints.endpoint import LaneEndpoints

POLL_EVERY_S = 1.0

FINAL_READ_WAIT_S = 1.0
"""How long the end of a race waits for what its servers have counted."""

CLOSE_WAIT_S = 1.0
"""How long the end of the reading is waited for. A server that hangs is left to a thread that ends with its answer."""

WENT_DOWN = "went down, and what it counted last with it"
TOOK_OVER = "changed its role between two readings, and what it copied is among its counts"
ANOTHER = "is another server now, which had counted before"
TOO_LATE = "did not say in time what it had counted in the end"
JOINED = "joined in the middle of the race, when it had counted before"


class CounterSource(Protocol):
    """A server, or the nodes of a cluster."""

    @property
    def caveat(self) -> str:
        """Why a count need not be that of clients alone; empty when there is no reason."""
        ...

    def read(self) -> Mapping[str, CounterReading]:
        """What is counted now, by address: of those that answer."""
        ...

    def close(self) -> None: ...


class _CounterDeltas:
    """How far the counters of one source have moved, whichever of its servers counted."""

    def __init__(self, source: CounterSource) -> None:
        self._source = source
        self._last: dict[str, tuple[float, CounterReading]] = {}
        """By address the last reading, and when it was taken (monotonic)."""
        self._answered: set[str] = set()
        self._caveats: dict[str, str] = {}
        """By address, why its counts are not the whole truth."""
        self.nodes: dict[str, dict[str, int]] = {}
        """By address, how far its counters have moved."""

    def begin(self) -> None:
        """Take the values to count from."""
        self._last = {at: (monotonic(), reading) for at, reading in self._source.read().items()}
        self._answered = set(self._last)

    def read(self) -> None:
        """Ask now. A server that does not answer keeps its last values."""
        readings: Mapping[str, CounterReading] = {}
        with suppress(Exception):
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

    def counter_caveats(self, *, late: bool) -> list[str]:
        """Why what has moved need not be all that was done, a sentence each; `late` when the last answer is not in."""
        silent = dict.fromkeys(self._last.keys() - self._answered, WENT_DOWN)
        if late:
            silent = {**dict.fromkeys(self._last, TOO_LATE), **silent}
        caveats = [
            f"{address} {why}" for address, why in sorted({**self._caveats, **silent}.items())
        ]
        return [*caveats, *filter(None, [self._source.caveat])]

    def close(self) -> None:
        self._source.close()


class _CounterPoller:
    """Reads one source once a second, and when asked, on a thread of its own: a server that hangs delays no other."""

    def __init__(self, deltas: _CounterDeltas) -> None:
        self.deltas = deltas
        self._changed = Condition()
        self._asked = 0
        """How often a reading was asked for, and of those"""
        self._answered = 0
        """how many were followed by one."""
        self._ended = False
        self._thread = Thread(target=self._run, name="server counters", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self.late, POLL_EVERY_S)
                if self._ended:
                    break
                asked = self._asked
            self.deltas.read()
            with self._changed:
                self._answered = asked
                self._changed.notify_all()
        self.deltas.close()

    @property
    def late(self) -> bool:
        """Whether a reading that was asked for is not in."""
        return self._answered < self._asked

    def ask(self) -> None:
        """Ask for a reading that begins now."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()

    def wait(self, until_s: float) -> None:
        """Wait for what was asked for, until that moment of the monotonic clock at the latest."""
        with self._changed:
            self._changed.wait_for(lambda: not self.late, max(0.0, until_s - monotonic()))

    def end(self) -> None:
        """Read no more. The connections are closed by the thread that may be at work on them."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def join(self, until_s: float) -> None:
        """Wait for the end, until that moment of the monotonic clock at the latest."""
        self._thread.join(max(0.0, until_s - monotonic()))


class ServerCounters:
    """By lane, how far the servers' counters have moved since `start`."""

    def __init__(self, endpoints: Mapping[str, LaneEndpoints]) -> None:
        self._endpoints = endpoints
        self._pollers: dict[str, list[_CounterPoller]] = {lane: [] for lane in endpoints}
        self.unreadable: dict[str, str] = {}
        """By lane, why the counters of a server of its cannot be read: a user need not be allowed to."""

    def start(self) -> None:
        """Take the values to count from, and begin to read what can be read."""
        for lane, endpoint in self._endpoints.items():
            for source in _counter_sources(endpoint):
                deltas = _CounterDeltas(source)
                try:
                    deltas.begin()
                except (*mysql.FAILURES, *redis.FAILURES) as error:
                    self.unreadable[lane] = mysql.error_text(error)
                    deltas.close()
                else:
                    poller = _CounterPoller(deltas)
                    poller.start()
                    self._pollers[lane].append(poller)

    def _all_pollers(self) -> list[_CounterPoller]:
        return [poller for pollers in self._pollers.values() for poller in pollers]

    def read(self, within_s: float = FINAL_READ_WAIT_S) -> None:
        """Ask every server now, and wait for the answers, but no longer than `within_s` for all of them."""
        for poller in self._all_pollers():
            poller.ask()
        until_s = monotonic() + within_s
        for poller in self._all_pollers():
            poller.wait(until_s)

    def moved(self, lane: str) -> Mapping[str, int]:
        """What a lane's servers have counted since the start, as last read."""
        moved: dict[str, int] = {}
        for poller in self._pollers.get(lane, ()):
            moved |= poller.deltas.moved
        return moved

    def nodes(self, lane: str) -> Mapping[str, Mapping[str, int]]:
        """The same for each node of a cluster, by its address; empty for a lane without one."""
        return {
            address: moved
            for poller in self._pollers.get(lane, ())
            if len(poller.deltas.nodes) > 1
            for address, moved in poller.deltas.nodes.items()
        }

    def counter_caveats(self, lane: str) -> tuple[str, ...]:
        """Why that need not be all that they did for the lane, a sentence each."""
        pollers = self._pollers.get(lane, ())
        return tuple(
            caveat
            for poller in pollers
            for caveat in poller.deltas.counter_caveats(late=poller.late)
        )

    def close(self) -> None:
        """Read no more, and wait a moment for it."""
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
