"""Pictures of every layout in every look, from frames and a machine that stand still.

After a change that is meant to show: `pytest tests/screens/test_looks.py --snapshot-update`, and look at the pictures.
They belong to one version of Textual, which draws a border differently in the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import App
from textual.pilot import Pilot

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Frame, LaneState
from engines.model.lanes import LaneInfo
from engines.results.summary import Summary
from tests.screens.conftest import Launch, StillHost
from tests.support.open_loop_frames import FLOORED, heats, paced
from tests.support.screen_text import TextPicture, picture
from tests.support.synthetic_frames import ENTRANTS, SyntheticSource, frames
from tui.app.app import TelemonApp
from tui.terminal.capabilities import Color, Glyphs, Terminal

MADE_WITH = "8.2.8"

pytestmark = pytest.mark.skipif(
    version("textual") != MADE_WITH, reason=f"the pictures are from Textual {MADE_WITH}"
)

SIZES = [(200, 50), (160, 48), (120, 30), (80, 24), (60, 20), (40, 12)]

FRAMES = 124


@cache
def made(warmup: int) -> list[Frame]:
    """The frames of all pictures."""
    return list(frames(FRAMES, warmup=warmup))


Compare = Callable[..., bool]


class Still(TelemonApp):
    """Shows the last of all frames, and nothing on the way to it."""

    def __init__(
        self, *, color: Color = "truecolor", glyphs: Glyphs = "braille", theme: str | None = None,
        linger: bool = True, hold: bool = False, warmup: int = 4, stage: bool = False,
        settings: RaceConfig | None = None, given: list[Frame] | None = None,
        lane_infos: tuple[LaneInfo, ...] = ENTRANTS,
    ) -> None:  # fmt: skip
        self.given = given or made(warmup)
        self.source = SyntheticSource(self.given, linger=linger, lane_infos=lane_infos)
        super().__init__(
            settings or RaceConfig(duration_s=60),
            lambda on_progress: self.source.told(on_progress),
            terminal=Terminal(color=color, glyphs=glyphs, fps=0.001, animation=False),
            host=StillHost(),
            stage=stage,
            hold=hold,
        )
        if theme is not None:
            self.theme = theme

    def run(self, **options: Any) -> Any:
        try:
            # The picture, not the summary.
            return App.run(self, **options)
        finally:
            self.feed.stop()
            self.feed.join()

    def _tick(self) -> None:
        """No lag that would differ from run to run."""

    def _catch_up(self) -> None:
        """No clock either."""


async def settled(pilot: Pilot[Summary]) -> None:
    """Wait for the last frame and its picture."""
    app = pilot.app
    assert isinstance(app, Still)
    for _ in range(500):
        history = app.feed._history
        if history._frame is not None and history._frame.seq == app.given[-1].seq:
            break
        await pilot.pause(0.02)
    app.feed._show_last()
    for _ in range(500):
        if app._screen_state.view is not None and app._screen_state.view.seq == app.given[-1].seq:
            break
        await pilot.pause(0.02)
    await pilot.pause(0.1)
    app._lag_s = 0.0
    app._show(screen_lag_s=0.0)
    await pilot.pause(0.1)
    assert app.fault is None


def same(snap_compare: Compare, app: Still, size: tuple[int, int], *keys: str) -> bool:
    async def run_before(pilot: Pilot[Summary]) -> None:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.1)

    return snap_compare(app, run_before=run_before, terminal_size=size)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_dark(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert same(snap_compare, Still(), size)


LOOKS: dict[str, Callable[[], Still]] = {
    "light": lambda: Still(theme="telemon-light"),
    "projector": lambda: Still(theme="telemon-projector"),
    "16": lambda: Still(color="16", glyphs="block"),
    "none": lambda: Still(color="none", glyphs="ascii"),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("look", LOOKS)
async def test_other_looks(snapshot: SnapshotAssertion, look: str, size: tuple[int, int]) -> None:
    """As text: in so many sizes SVGs would be most of the repository."""
    app = LOOKS[look]()
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        shown = picture(app)
        app.source.stop()
    app.feed.stop()
    app.feed.join()
    assert shown == snapshot(extension_class=TextPicture)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_stage(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert same(snap_compare, Still(stage=True), size)


def test_stage_in_ascii(snap_compare: Compare) -> None:
    assert same(snap_compare, Still(stage=True, color="none", glyphs="ascii"), (120, 40))


def open_loop(*, stage: bool = False) -> Still:
    """An open loop that lane `mysql` cannot keep up with."""
    settings = RaceConfig(duration_s=60, mode="pace", rate_per_s=300)
    return Still(settings=settings, given=list(paced(made(4))), lane_infos=FLOORED, stage=stage)


@pytest.mark.parametrize(
    "size",
    [(160, 48), (120, 30), (80, 24), (60, 20), (40, 12)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_open_loop(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert same(snap_compare, open_loop(), size)


def test_open_loop_on_stage(snap_compare: Compare) -> None:
    assert same(snap_compare, open_loop(stage=True), (160, 48))


@pytest.mark.parametrize("size", [(160, 48), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_heats(snap_compare: Compare, size: tuple[int, int]) -> None:
    settings = RaceConfig(heats=True, rounds=2, duration_s=2)
    assert same(snap_compare, Still(settings=settings, given=heats(2), lane_infos=FLOORED), size)


def test_own_share(snap_compare: Compare) -> None:
    assert same(snap_compare, Still(lane_infos=FLOORED), (160, 48))


def test_lane_alone(snap_compare: Compare) -> None:
    assert same(snap_compare, Still(), (160, 48), "2")


def test_help(snap_compare: Compare) -> None:
    assert same(snap_compare, Still(), (100, 50), "question_mark")


def test_start_line(snap_compare: Compare) -> None:
    assert same(snap_compare, Still(hold=True, warmup=FRAMES), (120, 30))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_result(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert same(snap_compare, Still(linger=False), size)


async def test_no_colour_has_no_colour(launch: Launch) -> None:
    """Not one cell of the look without colours has any but the terminal's own, whatever is on the screen. What becomes
    of it on a terminal is in test_command_line."""
    down = replace(made(4)[-1], lanes=tuple(
        replace(lane, state=LaneState.DOWN, overloaded=True, write=replace(lane.write, errors={"timeout": 9}))
        for lane in made(4)[-1].lanes
    ))  # fmt: skip
    terminal = Terminal(color="none", fps=60)
    seen: set[str] = set()
    async with launch([*made(4)[:-1], down], terminal=terminal, hold=True) as racing:
        await racing.shows("AT THE START LINE", "down", "timeout")
        seen |= colours(racing.app)
        racing.app._show(screen_lag_s=9.0, paused=True)
        racing.app._show_presentation(frozen=True)
        await racing.shows("LATE", "LOAD PAUSED", "DISPLAY FROZEN")
        for key, shown in (("y", "y axis"), ("g", "behind"), ("question_mark", "esc closes")):
            await racing.pilot.press(key)
            await racing.shows(shown)
            seen |= colours(racing.app)
        await racing.pilot.press("escape")
    async with launch(source=SyntheticSource(made(4), linger=False), terminal=terminal) as racing:
        await racing.shows("result after")
        seen |= colours(racing.app)
    assert seen == {"default"}


def colours(app: TelemonApp) -> set[str]:
    """All colours on the screen, in front and behind."""
    return {
        colour.name
        for strip in app.screen._compositor.render_strips()
        for segment in strip
        if segment.style is not None
        for colour in (segment.style.color, segment.style.bgcolor)
        if colour is not None
    }
