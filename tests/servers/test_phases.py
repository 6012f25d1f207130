"""A server that drips from a certain phase of a race on: the race ends by itself and names the phase.

Nobody sends a signal here. The server is the sandbox's cache, as the user's own, behind a relay that begins to drip at
the very beginning of the phase.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import engines.race.servers as race_servers
from engines.backends.server_counters import ServerCounters
from engines.config.race_config import RaceConfig
from engines.endpoints import deadline
from engines.endpoints.deadline import Deadline
from engines.errors import DOCTOR_HINT, RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.model.caveats import UnreadableCounters
from engines.race import engine_group
from engines.race import race as races
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from tests.support.hostile_servers import HostileServer, hostile_server, relay_and_drip
from tests.support.shared_servers import prepared, shared, tidy
from tests.support.stopwatch import Stopwatch

PHASE_S = 2.0
"""Time for a phase here, in place of half a minute for each server."""

DRIP_EVERY_S = 0.7
"""Seconds between two bytes: the shortest answer, of five bytes, takes longer than a phase."""

ON_ANY_MACHINE_S = 30.0
"""A race that has not ended by then was not given up at all. The rest of it takes two seconds."""

PHASES = (
    "looking at the servers that are configured",
    "claiming the namespaces",
    "lane cached: making the cache cold",
    "reading the settings of the servers",
)

ON_PRIVATE_SERVERS = "making the tables and the hot cars"
"""The phase that has to do with servers that telemon starts, none of which drips."""


@dataclass
class Dripping:
    """Settings of a race on a cache that drips while `now` is set."""

    settings: RaceConfig
    server: HostileServer
    now: Event


@pytest.fixture
def dripping(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dripping]:
    monkeypatch.setattr(deadline, "PHASE_S", PHASE_S / 2)  # two servers
    monkeypatch.setattr("engines.backends.server_counters.READ_LIMIT_S", PHASE_S)
    monkeypatch.setattr(engine_group, "READY_TIMEOUT_S", PHASE_S)
    settings = prepared(sandbox, shared(sandbox, ["cached"]))
    cache = settings.cached_redis
    assert cache.port is not None
    now = Event()
    with hostile_server(relay_and_drip(cache.port, now, DRIP_EVERY_S)) as server:
        cached_redis = replace(cache, port=server.port, cluster="off")
        yield Dripping(replace(settings, cached_redis=cached_redis), server, now)
    tidy(sandbox)


@contextmanager
def given_up() -> Iterator[Stopwatch]:
    watch = Stopwatch()
    yield watch
    assert watch.elapsed_s < ON_ANY_MACHINE_S


def test_every_phase_of_a_start_is_tried_here() -> None:
    """A phase that is added must be added here too."""
    tree = ast.parse(Path(race_servers.__file__).read_text(encoding="utf-8"))
    named = [
        "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}"
            for part in (argument.values if isinstance(argument, ast.JoinedStr) else [argument])
        )
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "phase"
        for argument in call.args[:1]
    ]
    tried = [name.replace("cached", "{}").replace("cold", "{}") for name in PHASES]
    assert sorted(named) == sorted([*tried, ON_PRIVATE_SERVERS])


@pytest.mark.parametrize("phase", PHASES)
def test_a_start_is_given_up_in_the_phase_that_does_not_end(
    dripping: Dripping, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    def begins(what: str, servers: int = 1) -> Deadline:
        if what == phase:
            dripping.now.set()
        return deadline.phase(what, max(2, servers))

    monkeypatch.setattr(race_servers, "phase", begins)
    with given_up(), pytest.raises(RaceError) as failed, Race(dripping.settings):
        pass
    text = str(failed.value)
    assert text.startswith(f"{phase}, ")
    assert dripping.server.address in text
    assert f"not over after {PHASE_S:.0f} s in all" in text
    assert text.endswith(f"the server answers too slowly; {DOCTOR_HINT}")


def test_a_race_whose_connections_drip_is_given_up_by_name(dripping: Dripping) -> None:
    def heard(text: object) -> None:
        if text == "connecting the lanes":
            dripping.now.set()

    race = Race(dripping.settings, on_progress=heard)
    with given_up(), pytest.raises(RaceError) as failed, race:
        pass
    text = str(failed.value)
    assert text.startswith("lane cached cannot connect: ")
    assert "connection" in text
    assert "opened in" in text
    assert text.endswith(DOCTOR_HINT)


def test_counters_that_drip_are_named_and_the_race_goes_on(
    dripping: Dripping, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counters(ServerCounters):
        def start(self) -> None:
            dripping.now.set()
            super().start()
            dripping.now.clear()

    monkeypatch.setattr(race_servers, "ServerCounters", Counters)
    with given_up(), Race(dripping.settings, interval_s=0.25) as race:
        frames = list(race.frames())
        caveats = race.environment.caveats
    (found,) = (each for each in caveats if isinstance(each, UnreadableCounters))
    assert found.reason.startswith("reading the counters, ")
    assert f"not over after {PHASE_S:.0f} s in all" in found.reason
    assert sum(lane.read.operations for frame in frames for lane in frame.lanes) > 0


def closing_of(dripping: Dripping) -> ClosingCounts:
    with given_up(), Race(dripping.settings, interval_s=0.25) as race:
        for _ in race.frames():
            pass
        return race.closing_counts


def begin_at(monkeypatch: pytest.MonkeyPatch, name: str, event: Event) -> None:
    """Set `event` when the coordinator of a race calls its function `name`."""
    called: Callable[..., Any] = getattr(races, name)

    def begins(*args: Any, **options: Any) -> Any:
        event.set()
        return called(*args, **options)

    monkeypatch.setattr(races, name, begins)


def test_the_check_of_claims_does_not_keep_the_end_of_a_race(
    dripping: Dripping, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_at(monkeypatch, "ClaimCheck", dripping.now)
    monkeypatch.setattr(races, "READ_BACK_WAIT_S", PHASE_S / 2)
    closing = closing_of(dripping)
    # The rows are in MySQL, which answers; the cache was asked in vain.
    assert closing.read_backs["cached"].checked > 0
    assert closing.lifetimes["cached"].timed_out
    assert closing.lifetimes["cached"].checked == 0


def test_rows_that_cannot_be_read_back_in_time_are_said_to_be_unread(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(races, "READ_BACK_WAIT_S", PHASE_S / 2)
    settings = prepared(sandbox, shared(sandbox, ["mysql"]))
    assert settings.mysql.port is not None
    now = Event()
    begin_at(monkeypatch, "read_back", now)
    with hostile_server(relay_and_drip(settings.mysql.port, now, DRIP_EVERY_S)) as server:
        own = replace(settings, mysql=replace(settings.mysql, port=server.port))
        found = closing_of(Dripping(own, server, now)).read_backs["mysql"]
    tidy(sandbox)
    assert found.unread > 0
    assert found.timed_out
