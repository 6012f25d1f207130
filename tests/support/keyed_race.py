"""A real race under the keys: what was asked of it, how soon it was obeyed, and what must hold after each key."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.model import controls as control
from engines.model.lanes import LANES
from tests.support.live_race import RealRacing
from tests.support.race_run import engine_pids
from tui.app.app import FRAME_INTERVAL_S
from tui.view.view import View

REACHED_S = 0.5
"""Within this time, and one interval of frames, a key is to show in what the engines do."""

PATIENCE = 6
"""How many times as long it may take where other tests have the processors too."""


class Keyed:
    """`took_s` is how long each change took from the key to the first frame, or the server's own count, that shows
    it; `asked` what the result must say was asked, in order; `pids` the engines; `reset_at` how many frames there
    were when the totals were reset; `written` what went to the terminal, `shown` the last views."""

    def __init__(self, racing: RealRacing, directory: Path) -> None:
        self.racing = racing
        self.directory = directory
        self.took_s: dict[str, float] = {}
        self.asked: list[str] = []
        self.pids: dict[str, int] = {}
        self.reset_at = 0
        self.written: list[str] = []
        self.shown: deque[View] = deque(maxlen=100)

    def listen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep what the app shows, and what it sends to its terminal by itself."""
        app = self.racing.app
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", self.written.append)
        app.watch(
            app.race_screen,
            "screen_state",
            lambda screen_state: self.shown.append(screen_state.view),
            init=False,
        )

    async def press(self, key: str) -> float:
        """Press a key; when that was."""
        pressed_s = time.monotonic()
        await self.racing.pilot.press(key)
        return pressed_s

    async def obeyed(
        self, asked: control.Control, since_s: float, shows: Callable[[Frame], bool]
    ) -> None:
        """Wait for the first frame after `since_s` that shows what was asked, and for what is said of it."""
        self.timed(asked, await self.racing.first(since_s, shows))
        await self.said(asked, since_s)

    def timed(self, asked: control.Control, took_s: float) -> None:
        """It took so long."""
        self.took_s[control.describe(asked)] = took_s
        assert took_s <= PATIENCE * (REACHED_S + FRAME_INTERVAL_S), (asked, took_s)

    async def said(self, asked: control.Control, since_s: float) -> None:
        """It stands in a frame's events, in the log on the screen, and will have to stand in the result."""
        text = control.describe(asked)
        self.asked.append(text)
        await self.racing.first(since_s, lambda frame: text in [e.text for e in frame.events])
        await self.racing.shows(text)
        assert self.racing.changes == self.asked

    async def undisturbed(self) -> None:
        """Every lane races on, by the same engines, and nothing was asked of them."""
        seen = len(self.racing.frames)
        (frame,) = await self.racing.whole(1)

        # An engine that is starved for a moment has nothing in one frame, and more in the next.
        def busy(frame: Frame) -> bool:
            return all(lane.write.operations and lane.read.operations for lane in frame.lanes)

        await self.racing.first(frame.at_monotonic_s - frame.interval_s, busy)
        for frame in self.racing.frames[seen:]:
            for lane in frame.lanes:
                assert lane.state is LaneState.RACING, lane
                assert lane.write.failed == lane.read.failed == 0, lane
        assert engine_pids(self.racing.race) == self.pids
        assert self.racing.changes == self.asked

    async def stands_still(self, *lanes: str) -> None:
        """For more than a whole frame no server of these lanes counts an operation, and no frame has one."""
        before = self.racing.servers.operations()
        for frame in await self.racing.whole(2):
            for lane in frame.lanes:
                if lane.lane in lanes:
                    assert lane.write.operations == lane.read.operations == 0, lane
        after = self.racing.servers.operations()
        assert {lane: after[lane] - before[lane] for lane in lanes} == dict.fromkeys(lanes, 0)


Check = Callable[[Keyed, str], Awaitable[None]]
"""Presses a key, by its name, and looks at what came of it."""


def all_in(state: LaneState) -> Callable[[Frame], bool]:
    """Whether every lane is in that state."""
    return lambda frame: all(lane.state is state for lane in frame.lanes)


def counted(parts: Iterable[LaneFrame]) -> dict[str, tuple[int, ...]]:
    """By lane: rows, operations and errors of the writers and the readers, hits and misses."""
    found: dict[str, tuple[int, ...]] = dict.fromkeys(LANES, (0,) * 8)
    for part in parts:
        figures = (
            *(part.write.rows, part.write.operations, part.write.failed),
            *(part.read.rows, part.read.operations, part.read.failed),
            *(part.cache.hits, part.cache.misses),
        )
        found[part.lane] = tuple(a + b for a, b in zip(found[part.lane], figures, strict=True))
    return found
