"""The screen under a pilot on a real race: what the race reported, and what its servers themselves count."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from pymysql.cursors import Cursor
from redis import Redis
from textual.pilot import Pilot

from engines.backends.redis.client import client
from engines.config.race_config import RaceConfig as Settings
from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.model.lanes import LANES
from engines.race.race import Race
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from engines.source import ProgressCallback
from tests.screens.conftest import Racing, StillHost
from tests.support.race_run import mysql
from tui.app.app import FRAME_INTERVAL_S, TelemonApp
from tui.terminal.capabilities import Terminal
from tui.view.view import View

BUSY_S = 20.0
"""How long a busy machine may take for what takes a few hundredths of a second."""

SERVERS = ("mysql", "cached-mysql", "cache", "durable-1", "durable-2", "durable-3")

OF_LANE = {"mysql": SERVERS[:1], "cached": SERVERS[1:3], "durable": SERVERS[3:]}


class Watched(Race):
    """A race that keeps its frames, each with the moment at which it came."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seen: list[tuple[float, Frame]] = []

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            self.seen.append((time.monotonic(), frame))
            yield frame


class Servers:
    """The servers of a sandbox, asked by connections of the test's own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._mysql = {
            name: mysql(sandbox.endpoints[lane].mysql)
            for name, lane in (("mysql", "mysql"), ("cached-mysql", "cached"))
        }
        self._redis: dict[str, Redis] = {}
        for name in SERVERS[2:]:
            endpoint = sandbox.endpoints["cached" if name == "cache" else "durable"].redis
            assert endpoint is not None
            address = f"{endpoint.host}:{sandbox.servers[name].port}"
            self._redis[name] = client(address, endpoint)
        self.before = self.connections()
        """How many connections each server has without a race."""

    @property
    def cache(self) -> Redis:
        return self._redis["cache"]

    def _rows(self, name: str, statement: str) -> list[tuple[Any, ...]]:
        with self._mysql[name].cursor(Cursor) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def connections(self) -> dict[str, int]:
        """How many connections each server has, the test's own among them."""
        found = {name: len(self._rows(name, "SHOW PROCESSLIST")) for name in self._mysql}
        for name, node in self._redis.items():
            # A node's links to its peers are not among its clients.
            found[name] = len(node.client_list())
        return found

    def operations(self) -> dict[str, int]:
        """By lane, how many statements and commands of a race its servers have counted. This very question, and
        telemon's own for the servers' counters, are none of them."""
        found = dict.fromkeys(LANES, 0)
        for lane, names in OF_LANE.items():
            for name in names:
                if name in self._mysql:
                    rows = self._rows(
                        name,
                        "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_insert', 'Com_select')",
                    )
                    found[lane] += sum(int(value) for _, value in rows)
                else:
                    stats = self._redis[name].info("commandstats")
                    for command in ("get", "set"):
                        found[lane] += stats.get(f"cmdstat_{command}", {}).get("calls", 0)
        return found

    def close(self) -> None:
        for connection in self._mysql.values():
            connection.close()
        for node in self._redis.values():
            node.close()


class RealRacing(Racing):
    """An app under a pilot, the race that it shows, and that race's servers."""

    race: Watched
    pilot: Pilot[Summary]

    def __init__(self, sandbox: Sandbox, settings: Settings, *, hold: bool) -> None:
        self.servers = Servers(sandbox)

        def make(on_progress: ProgressCallback) -> Watched:
            self.race = Watched(
                settings,
                interval_s=FRAME_INTERVAL_S,
                on_progress=on_progress,
                sandbox=sandbox,
                hold=hold,
            )
            return self.race

        self.app = TelemonApp(
            settings, make, terminal=Terminal(fps=20), host=StillHost(), hold=hold
        )

    @property
    def frames(self) -> list[Frame]:
        return [frame for _, frame in self.race.seen]

    @property
    def last(self) -> Frame:
        return self.race.seen[-1][1]

    def lane(self, name: str) -> LaneFrame:
        """A lane in the last frame."""
        return next(lane for lane in self.last.lanes if lane.lane == name)

    @property
    def view(self) -> View:
        """What is on the screen."""
        view = self.app.race_screen.screen_state.view
        assert view is not None
        return view

    @property
    def summary(self) -> Summary:
        summary = self.app.feed.summary
        assert summary is not None
        return summary

    @property
    def changes(self) -> list[str]:
        """What the result says was asked of the race, up to now."""
        return [change.text for change in self.summary.changes]

    async def until(self, holds: Callable[[], bool], *, seconds: float = BUSY_S) -> None:
        await super().until(holds, seconds=seconds)

    async def started(self) -> None:
        """Wait for the first frame; raise what kept the race from starting."""
        feed = self.app.feed
        await self.until(
            lambda: feed.error is not None or (hasattr(self, "race") and bool(self.race.seen)),
            seconds=30,
        )
        if feed.error is not None:
            raise feed.error

    async def state(self, state: LaneState, *lanes: str) -> None:
        """Wait until lanes (by default all) are in a state."""
        await self.until(
            lambda: all(
                lane.state is state for lane in self.last.lanes if lane.lane in (lanes or LANES)
            )
        )

    async def first(self, since_s: float, holds: Callable[[Frame], bool]) -> float:
        """Wait for the first frame after `since_s` that shows something; how long after it came."""

        def found() -> float | None:
            for at_s, frame in self.race.seen:
                if at_s > since_s and holds(frame):
                    return at_s - since_s
            return None

        await self.until(lambda: found() is not None)
        after_s = found()
        assert after_s is not None
        return after_s

    async def whole(self, count: int) -> list[Frame]:
        """The next `count` frames whose interval begins from now on."""
        now_s = time.perf_counter()

        def new() -> list[Frame]:
            return [f for f in self.frames if f.at_monotonic_s - f.interval_s >= now_s]

        await self.until(lambda: len(new()) >= count)
        return new()[:count]


@asynccontextmanager
async def real_race(
    sandbox: Sandbox,
    settings: Settings,
    *,
    hold: bool = False,
    size: tuple[int, int] = (160, 48),
) -> AsyncIterator[RealRacing]:
    """The screen on a race of `settings` on the servers of `sandbox`, from its first frame on."""
    racing = RealRacing(sandbox, settings, hold=hold)
    app = racing.app
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            racing.pilot = pilot
            try:
                await racing.started()
                yield racing
                assert app.fault is None
            finally:
                app.feed.stop()
                assert app.feed.join(BUSY_S)
    finally:
        racing.servers.close()
