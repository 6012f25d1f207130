"""Who listens to the engines, and since when."""

from __future__ import annotations

import time
from collections.abc import Collection
from threading import Timer
from typing import Any, cast

import pytest

from engines.backends.server_counters import ServerCounters
from engines.config import race_config as config
from engines.endpoints.credential_sources import CredentialSource
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.ipc.messages import EngineSpec, OpenProgress, ServerSharing
from engines.model.caveats import SharedServer
from engines.model.controls import Pause
from engines.model.environment import RaceEnvironment
from engines.model.roles import Role
from engines.race.control_queue import ControlQueue
from engines.race.engine_group import (
    AWAY_NS,
    READY_ROUND_S,
    READY_TIMEOUT_S,
    EngineGroup,
    OpeningWatch,
)
from engines.race.servers import RaceServers


def test_whoever_was_away_has_listened_since_he_came_back_and_others_since_they_began() -> None:
    inbox = ControlQueue()
    inbox.open()
    field = EngineGroup(config.RaceConfig(), lambda *_: None, inbox)
    field.listen(0.0)
    first_ns = field.listening_since_ns
    for _ in range(3):
        # However long it was to wait for something to be said.
        field.listen(AWAY_NS / 1e9 / 2)
    assert field.listening_since_ns == first_ns > 0
    time.sleep(AWAY_NS / 1e9 + 0.1)
    field.listen(0.0)
    assert field.listening_since_ns >= first_ns + AWAY_NS
    inbox.close()


def test_what_is_asked_for_interrupts_listening_and_comes_in_order() -> None:
    inbox = ControlQueue()
    inbox.send(Pause())  # before anybody can be woken
    inbox.open()
    field = EngineGroup(config.RaceConfig(), lambda *_: None, inbox)
    began_s = time.monotonic()
    Timer(0.1, inbox.stop).start()
    field.listen(30.0)
    assert time.monotonic() - began_s < 20
    assert inbox.stop_requested
    assert list(inbox.controls()) == [Pause()]
    assert list(inbox.controls()) == []
    inbox.close()
    inbox.stop()  # a signal may come at any time


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_many_slow_connections_are_waited_for_and_none_that_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    slow, hung, dripping = OpeningWatch(), OpeningWatch(), OpeningWatch()
    for opened in range(0, 1024, 64):  # 64 at a time, 4 s each
        clock.now_s += 4.0
        assert slow.late(OpenProgress(opened, 1024)) is None
    assert hung.late(OpenProgress(0, 1024)) == "0 of 1,024 connections opened in 64 s"
    assert OpeningWatch().late(None) is None
    # One connection every 14 s is progress, but too little.
    began_s = clock.now_s
    for opened in range(1, 100):
        clock.now_s += 14.0
        late = dripping.late(OpenProgress(opened, 100))
        if late is not None:
            break
    assert late is not None
    assert clock.now_s - began_s < 15 + 2 * READY_ROUND_S + 14


@pytest.mark.parametrize("wanted", [1, 64, 65, 1024, 4096])
def test_all_connections_have_a_time_that_grows_with_the_rounds_of_64(
    monkeypatch: pytest.MonkeyPatch, wanted: int
) -> None:
    """Whatever progress there is: a server that lets one in now and then does not keep anybody for minutes."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    watched, opened = OpeningWatch(), 0
    limit_s = READY_TIMEOUT_S + -(-wanted // 64) * READY_ROUND_S
    while clock.now_s < limit_s - 1:
        clock.now_s += 1.0
        opened += 1
        assert watched.late(OpenProgress(opened, wanted)) is None
    clock.now_s = limit_s + 0.1
    assert watched.late(OpenProgress(opened + 1, wanted)) is not None


def test_a_process_that_tells_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    watched = OpeningWatch()
    clock.now_s = 15.1
    assert watched.late(None) == "no connection opened in 15 s"


class Assigned:
    """An engine process that does nothing but keep what it is told to do."""

    def __init__(
        self, lane: str, role: Role, process: int, _secrets: Collection[CredentialSource]
    ) -> None:
        self.lane, self.role, self.process = lane, role, process
        self.spec: EngineSpec | None = None

    def assign(self, spec: EngineSpec) -> None:
        self.spec = spec


MYSQL = MySQLEndpoint("db", 3306, "u", "p", "d")
REDIS = RedisEndpoint("cache", 6379, "p")


@pytest.mark.parametrize(
    ("processes", "shared", "expected"),
    [
        (1, (), {"mysql": (2, 1), "cached": (2, 1), "durable": (1, 2)}),
        (4, (), {"mysql": (8, 1), "cached": (8, 4), "durable": (1, 8)}),
        (
            4,
            (SharedServer(("mysql", "cached"), "MySQL"),),
            {"mysql": (16, 1), "cached": (16, 4), "durable": (1, 8)},
        ),
    ],
)
def test_engine_processes_know_with_how_many_they_share_a_server(
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
    shared: tuple[SharedServer, ...],
    expected: dict[str, tuple[int, int]],
) -> None:
    """Readers of lane cached connect to MySQL and to the cache, its writers to MySQL alone."""
    monkeypatch.setattr("engines.race.lane_runner.EngineProcess", Assigned)
    settings = config.RaceConfig(processes=processes, writers=8, readers=8)
    group = EngineGroup(settings, lambda *_: None, ControlQueue())
    group.start()
    endpoints = {
        "mysql": LaneEndpoints("mysql", mysql=MYSQL),
        "cached": LaneEndpoints("cached", mysql=MYSQL, redis=REDIS),
        "durable": LaneEndpoints("durable", redis=REDIS),
    }
    at = RaceServers(
        endpoints, (), None, (), RaceEnvironment(caveats=shared), ServerCounters(endpoints)
    )
    group.assign(at, None, keep_versions=False)
    for engine in cast("list[Any]", group.engines):
        assert engine.spec.sharing == ServerSharing(*expected[engine.lane]), engine.lane
