"""Each server's counters are read on their own: one that hangs delays nobody, and the end of a race but little."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event, Timer

import pytest

from engines.backends import server_counters as counters
from engines.backends.counter_reading import CounterReading
from engines.backends.server_counters import ServerCounters
from engines.endpoints.endpoint import LaneEndpoints


class Server:
    """Says what it has counted when it is asked; hangs when told to."""

    caveat = ""
    aliased = False
    missing = ()

    def __init__(self, address: str) -> None:
        self._address = address
        self._readings = 0
        self.counted = 0
        self.asked = Event()
        self.answers = Event()
        self.answers.set()
        self.closed = Event()

    def read(self) -> dict[str, CounterReading]:
        counted = self.counted
        self.asked.set()
        self.answers.wait()
        self._readings += 1
        return {self._address: CounterReading(self._address, float(self._readings), {"n": counted})}

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Server]]:
    found = {lane: Server(f"{lane}:1") for lane in ("mysql", "durable")}
    monkeypatch.setattr(counters, "_counter_sources", lambda at: [found[at.lane]])
    yield found
    for server in found.values():
        server.answers.set()


def test_a_server_that_hangs_keeps_no_other_from_being_read(servers: dict[str, Server]) -> None:
    counting = ServerCounters({lane: LaneEndpoints(lane) for lane in servers})
    counting.start()
    servers["mysql"].answers.clear()
    for each in servers.values():
        each.counted = 7
    counting.read(within_s=0.2)
    assert counting.moved("durable") == {"n": 7}
    assert counting.counter_caveats("durable") == ()
    assert counting.moved("mysql") == {}
    assert counting.counter_caveats("mysql") == (
        "mysql:1 did not say in time what it had counted in the end",
    )
    began_s = time.monotonic()
    counting.close()
    # It would have waited for ever.
    assert time.monotonic() - began_s < 10
    assert servers["durable"].closed.is_set()
    # Its connection is closed by the thread that waits on it.
    assert not servers["mysql"].closed.is_set()
    servers["mysql"].answers.set()
    assert servers["mysql"].closed.wait(5)


def test_the_last_reading_begins_after_it_was_asked_for(servers: dict[str, Server]) -> None:
    counting = ServerCounters({lane: LaneEndpoints(lane) for lane in servers})
    counting.start()
    server = servers["mysql"]
    server.asked.clear()
    server.answers.clear()
    assert server.asked.wait(10)  # a reading is under way, once a second
    server.counted = 7
    Timer(0.2, server.answers.set).start()
    counting.read(within_s=10)
    assert counting.moved("mysql") == {"n": 7}
    counting.close()
    assert all(each.closed.is_set() for each in servers.values())


def test_what_telemon_itself_asked_outside_of_the_race_does_not_count(
    servers: dict[str, Server],
) -> None:
    counting = ServerCounters({lane: LaneEndpoints(lane) for lane in servers})
    counting.start()
    servers["mysql"].counted = 10
    counting.exclude("mysql", "mysql:1", {"n": 3, "unread": 1})
    counting.exclude("mysql", "elsewhere:1", {"n": 100})
    counting.read()
    assert counting.moved("mysql") == {"n": 7}
    servers["mysql"].counted = 12
    counting.read()
    assert counting.moved("mysql") == {"n": 9}
    assert counting.moved("durable") == {"n": 0}
    counting.close()
