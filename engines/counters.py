"""The servers' own counters, read once a second beside the race."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Lock, Thread

from engines.endpoint import LaneEndpoints
from engines.servers import mysql, redis

EVERY_S = 1.0

Read = Callable[[], dict[str, int]]


class ServerCounters:
    """By lane, how far the servers' counters have moved since `start`.

    A server that restarts counts from zero again: what it had counted before is kept. One that does not answer keeps
    its last values.
    """

    def __init__(self, endpoints: Mapping[str, LaneEndpoints]) -> None:
        self._sources: dict[str, list[Read]] = {lane: [] for lane in endpoints}
        self._closers: list[Callable[[], None]] = []
        self._last: dict[Read, dict[str, int]] = {}
        self._moved: dict[str, dict[str, int]] = {lane: {} for lane in endpoints}
        self._lock = Lock()
        self._ended = Event()
        self._thread: Thread | None = None
        self.unreadable: dict[str, str] = {}
        """By lane, why the counters of a server of its cannot be read: a user need not be allowed to."""
        for lane, endpoint in endpoints.items():
            if endpoint.mysql is not None:
                server = mysql.MySQLCounters(endpoint.mysql)
                self._sources[lane].append(server.read)
                self._closers.append(server.close)
            if endpoint.redis is not None:
                nodes = redis.RedisCounters(endpoint.redis)
                self._closers.append(nodes.close)
                for address in redis.nodes(endpoint.redis):
                    self._sources[lane].append(_node(nodes, address))

    def start(self) -> None:
        """Take the values to count from, and begin to read what can be read."""
        for lane, sources in self._sources.items():
            for read in tuple(sources):
                try:
                    self._last[read] = read()
                except (*mysql.FAILURES, *redis.FAILURES) as error:
                    self.unreadable[lane] = mysql.said(error)
                    sources.remove(read)
        self._thread = Thread(target=self._poll, name="server counters", daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.read()

    def read(self) -> None:
        """Ask every server now."""
        with self._lock:
            for lane, sources in self._sources.items():
                moved = dict(self._moved[lane])
                for read in sources:
                    with suppress(Exception):
                        now = read()
                        before = self._last[read]
                        for name, value in now.items():
                            step = value - before.get(name, 0)
                            moved[name] = moved.get(name, 0) + (step if step >= 0 else value)
                        self._last[read] = now
                self._moved[lane] = moved

    def moved(self, lane: str) -> Mapping[str, int]:
        """What a lane's servers have counted since the start, as last read."""
        return self._moved.get(lane, {})

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=EVERY_S + 5)
        with self._lock:
            for close in self._closers:
                close()


def _node(nodes: redis.RedisCounters, address: str) -> Read:
    return lambda: nodes.read(address)
