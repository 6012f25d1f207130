"""Servers that take what they are sent and never answer, as behind a lost route, keep nobody from ending a race."""

from __future__ import annotations

import time
from collections.abc import Callable
from signal import SIGSTOP
from typing import Any

import pymysql
import pytest

from engines.backends.server_counters import ServerCounters
from engines.ipc.schedule import STOP_DRAIN_NS
from engines.provisioning.leases import RaceLeases
from engines.race import race as races
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import forget, with_settings
from tests.support.shared_servers import prepared, shared, tidy
from tests.support.stopwatch import Stopwatch
from tests.support.user_servers import as_root

LIMIT_S = 1.0
"""A race may take a second to end, without the time for which the machine had no processor for it (`Stopwatch`).
Waiting for the operations in flight alone would take two."""

ON_ANY_MACHINE_S = 5.0

WAITS_S, LEAST_WAIT_S = 0.8, 0.05
"""Time after a stop by which nothing waits for servers any more, and what a step may wait that comes too late for that.
A second holds all of it, and the end of the processes."""


class Waits:
    """How long the steps of an end were allowed to wait for the servers, after a stop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stopped_s: float | None = None
        self.found: dict[str, tuple[float, float]] = {}
        """By step, how long after the stop it began, and how long it was allowed to take."""
        for owner, name in (
            (ServerCounters, "read"),
            (RaceLeases, "confirm"),
            (RaceLeases, "close"),
            (races, "read_back"),
        ):
            monkeypatch.setattr(owner, name, self._noting(name, getattr(owner, name)))

    def _noting(self, name: str, called: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*arguments: Any) -> Any:
            if self.stopped_s is not None:
                self.found[name] = (time.monotonic() - self.stopped_s, arguments[-1])
            return called(*arguments)

        return noting

    def check(self, *, hurried: bool) -> None:
        """No step may wait beyond the time for all of them, however late it began; with `hurried` only the least."""
        assert self.found.keys() == {"read", "confirm", "close", "read_back"}
        assert STOP_DRAIN_NS <= 0.4e9
        # Busy or not: operations have their time, and the counters at most what is left before the least of the others.
        assert self.found.pop("read")[1] + STOP_DRAIN_NS / 1e9 <= WAITS_S - 3 * LEAST_WAIT_S
        for name, (after_s, within_s) in self.found.items():
            # A busy machine may take some time between asking how long it may be and waiting.
            left_s = 0.0 if hurried else WAITS_S - after_s + 0.2
            assert within_s <= max(LEAST_WAIT_S, left_s), name


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


def test_a_race_ends_within_a_second_though_every_server_hangs(
    breakable: Sandbox, waits: Waits
) -> None:
    forget(breakable)
    stopped: Stopwatch | None = None
    with Race(with_settings(duration_s=None), interval_s=0.25, sandbox=breakable) as race:
        for frame in race.frames():
            if frame.seq == 2:
                for name in breakable.servers:
                    breakable.kill(name, SIGSTOP)
            if frame.elapsed_s > 2.0 and stopped is None:
                stopped, waits.stopped_s = Stopwatch(), time.monotonic()
                race.stop()
        counter_caveats = race.closing_counts.counter_caveats
    waits.check(hurried=True)
    assert stopped is not None
    assert stopped.own_s < LIMIT_S
    assert stopped.elapsed_s < ON_ANY_MACHINE_S
    for lane in ("mysql", "cached", "durable"):
        assert any("in time" in caveat for caveat in counter_caveats[lane]), lane


@pytest.mark.parametrize("own", [False, True], ids=["private", "with leases"])
def test_a_race_ends_within_a_second_though_its_rows_cannot_be_read(
    breakable: Sandbox, waits: Waits, own: bool
) -> None:
    """The counters answer, and so do the leases; only the table is locked."""
    forget(breakable)
    settings = with_settings(lanes=("mysql",), duration_s=None)
    if own:
        settings = prepared(breakable, shared(breakable, ["mysql"], duration_s=None))
    stopped: Stopwatch | None = None
    root = pymysql.connect(
        unix_socket=str(breakable.admin_mysql("mysql")), user="root", ssl_disabled=True
    )
    with root, Race(settings, interval_s=0.25, sandbox=None if own else breakable) as race:
        for frame in race.frames():
            if frame.seq == 2:
                with root.cursor() as cursor:
                    cursor.execute("LOCK TABLES telemon.cars WRITE")
            if frame.elapsed_s > 1.5 and stopped is None:
                stopped, waits.stopped_s = Stopwatch(), time.monotonic()
                race.stop()
        read_back = race.closing_counts.read_backs["mysql"]
    waits.check(hurried=False)
    assert stopped is not None
    assert stopped.own_s < LIMIT_S
    assert stopped.elapsed_s < ON_ANY_MACHINE_S
    assert read_back.unread > 0
    as_root(breakable, "mysql", "SELECT 1")
    tidy(breakable)
