"""The screen before the first frame, after the last one, and when something breaks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self

import pytest

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Event, LaneState
from engines.metrics.stats import RoleStats
from engines.model.environment import RaceEnvironment
from engines.results.summary import Summary
from engines.source import FrameSource, ProgressCallback
from tests.screens.conftest import Launch, StillHost
from tests.support.synthetic_frames import ENTRANTS, SyntheticSource, frames, usual
from tui.actions.catalog import ACTIONS
from tui.app.app import TelemonApp
from tui.app.feed import ABANDON_S, FrameFeed
from tui.draw.styled import Line
from tui.messages import ViewReady
from tui.report.clipboard import standings_text
from tui.report.race_report import lane_reports
from tui.terminal.capabilities import Terminal
from tui.widgets.base.panel import Panel
from tui.widgets.lane.figures import LaneFigures


async def test_start_is_shown_step_by_step(launch: Launch) -> None:
    source = SyntheticSource(
        frames(10), steps=("starting [b]MariaDB[/b]", "making the tables"), step_s=0.6
    )
    async with launch(source=source) as racing:
        await racing.shows("starting", "getting ready", "starting [b]MariaDB[/b]")
        await racing.shows("✓ starting [b]MariaDB[/b]", "▸ making the tables")
        await racing.shows("racing", "standings")
        assert "getting ready" not in racing.text()


async def test_quit_while_starting_gives_the_start_up(launch: Launch) -> None:
    source = SyntheticSource(frames(10), steps=("one",) * 50, step_s=0.1)
    async with launch(source=source) as racing:
        await racing.shows("getting ready")
        await racing.pilot.press("q")
        await racing.until(lambda: racing.app.feed.join(0), seconds=2)
    assert racing.app.feed.summary is None
    assert racing.app.feed.error is None


async def test_end_of_a_race_shows_its_result(launch: Launch) -> None:
    made = list(usual())
    async with launch(source=SyntheticSource(made, linger=False)) as racing:
        await racing.shows("result after 0:14", "reads/s", "q quit")
        text = " ".join(racing.text().split())
        summary = racing.app.feed.summary
        assert summary is not None
        rate = summary.lanes()[2].write.rows_per_s
        assert f"in writes with {rate:,.0f} rows/s" in text
        for title in ("● MySQL", "▲ MySQL + cache", "■ Durable Redis"):
            # The standings, the reasons, the latencies.
            assert text.count(title) == 3
        await racing.pilot.press("q")
        await racing.until(lambda: racing.app._exit)


async def test_keys_leave_a_result_as_it_is(launch: Launch) -> None:
    async with launch(source=SyntheticSource(list(usual()), linger=False)) as racing:
        await racing.shows("result after 0:14", "q quit")
        app, before = racing.app, racing.text()
        summary, theme = app.feed.summary, app.theme
        for action in ACTIONS:
            if action.id in ("quit", "copy", "screenshot", "next_theme", "help"):
                continue
            for key in action.keys:
                await racing.pilot.press(key)
        await racing.pilot.press("home")
        await racing.until(lambda: racing.text() == before)
        assert app.feed.summary is summary
        assert summary is not None
        assert summary.duration_s == 14.0
        assert app.theme == theme
        assert not app._screen_state.paused
        assert racing.source.sent == []


async def test_the_copy_of_a_result_holds_what_it_shows(launch: Launch) -> None:
    async with launch(source=SyntheticSource(list(usual()), linger=False)) as racing:
        await racing.shows("result after 0:14")
        await racing.pilot.press("c")
        await racing.shows("result copied")
        lines = racing.app.clipboard.splitlines()
        assert lines[0] == "telemon: result after 0:14"
        summary = racing.app.feed.summary
        assert summary is not None
        for line, lane in zip(lines[2:5], summary.lanes(), strict=True):
            for number in (lane.write.rows_per_s, lane.read.rows_per_s):
                assert f" {number:,.0f} " in line
                assert f"{number:,.0f}" in racing.text()
            assert f"{lane.read.service.percentile_us(99) / 1000:.2f} ms" in line


async def test_the_copy_of_a_frozen_picture_is_of_that_picture(launch: Launch) -> None:
    async with launch(source=SyntheticSource(frames(800), interval_s=0.01)) as racing:
        await racing.shows("racing", "0:02")
        await racing.pilot.press("f")
        await racing.shows("DISPLAY FROZEN")
        shown = racing.app._screen_state.view
        assert shown is not None
        await racing.until(
            lambda: racing.app._view is not None and racing.app._view.seq > shown.seq + 20
        )
        await racing.pilot.press("c")
        assert racing.app.clipboard == standings_text(shown, ENTRANTS)


def test_sentences_say_why() -> None:
    made = list(usual())
    summary = Summary(RaceConfig(), ENTRANTS, RaceEnvironment())
    for frame in made:
        summary.add(frame)
    mysql, cached, durable = lane_reports(summary)
    lanes = summary.lanes()
    # Ranks and gaps from the totals.
    writes = [lane.write.rows_per_s for lane in lanes]
    assert durable.ranks["write"].position == 1
    gap = writes[2] / max(writes[:2])
    assert f"1st, {gap:.1f}x ahead in writes" in durable.findings[0]
    assert "a batch of 100 rows" in mysql.findings[0]
    p50_ms = lanes[2].write.service.percentile_us(50) / 1000
    assert f"Durable Redis's {p50_ms:.2f} ms" in mysql.findings[0]
    misses = sum(lane.cache.misses for frame in made[4:] for lane in frame.lanes[1:2])
    assert f"{misses:,} misses went to MySQL" in cached.findings[2]
    assert any("client-bound" in sentence for sentence in durable.findings)
    assert not any("client-bound" in sentence for sentence in mysql.findings)


def test_sentences_of_a_lane_that_did_nothing() -> None:
    summary = Summary(RaceConfig(), ENTRANTS, RaceEnvironment())
    for frame in frames(10):
        lanes = (
            *frame.lanes[:2],
            replace(frame.lanes[2], state=LaneState.DOWN, write=RoleStats(), read=RoleStats()),
        )
        summary.add(replace(frame, lanes=lanes))
    sentences = lane_reports(summary)[2].findings
    assert sentences[:2] == ("It acknowledged nothing.", "It was down at the end.")


async def test_mistake_in_a_widget_is_said_and_the_race_goes_on(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[Line]:
        raise RuntimeError("broken on purpose")

    async with launch(source=SyntheticSource(frames(400), interval_s=0.01)) as racing:
        await racing.shows("racing")
        monkeypatch.setattr(LaneFigures, "draw_lane", broken)
        await racing.shows(f"{Panel.MISTAKE}: RuntimeError")
        before = racing.app.shown
        await racing.until(lambda: racing.app.shown > before + 3)
        monkeypatch.undo()
        await racing.until(lambda: Panel.MISTAKE not in racing.text())


def test_mistake_that_ends_the_screen_does_not_end_the_result(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    source = SyntheticSource(frames(400), interval_s=0.01)
    app = TelemonApp(
        RaceConfig(),
        lambda on_progress: source.told(on_progress),
        terminal=Terminal(fps=60),
        host=StillHost(),
    )

    def broken() -> None:
        if app.shown > 5:
            secret = "hunter2"  # noqa: F841
            raise RuntimeError("broken on purpose")

    monkeypatch.setattr(app, "_tick", broken)
    summary = app.run(headless=True)
    assert isinstance(summary, Summary)
    assert summary.duration_s > 0
    assert app.return_code == 1
    assert app.fault == "the screen failed: RuntimeError"
    assert source.exited
    shown = capfd.readouterr()
    assert "hunter2" not in shown.err + shown.out
    # Whoever called it says what broke: see test_command_line.
    assert shown.err == ""


class Failing(SyntheticSource):
    """A source that cannot start, or breaks in the middle."""

    def __init__(self, *, at_start: bool) -> None:
        super().__init__(frames(20), linger=False)
        self.at_start = at_start

    def __enter__(self) -> Failing:
        if self.at_start:
            raise RuntimeError("no servers [here]")
        return self

    def frames(self):  # type: ignore[no-untyped-def]
        yield from super().frames()
        raise RuntimeError("the engines are [gone]")


def factory(source: SyntheticSource):  # type: ignore[no-untyped-def]
    def make(on_progress: ProgressCallback) -> FrameSource:
        return source.told(on_progress)

    return make


def test_what_kept_the_race_from_starting_is_raised() -> None:
    app = TelemonApp(
        RaceConfig(), factory(Failing(at_start=True)), terminal=Terminal(), host=StillHost()
    )
    with pytest.raises(RuntimeError, match="no servers"):
        app.run(headless=True)


async def test_what_broke_the_race_leaves_its_result(launch: Launch) -> None:
    async with launch(source=Failing(at_start=False)) as racing:
        await racing.shows("result after 0:04", "broken off: the engines are [gone]")
        assert racing.app.fault == "the engines are [gone]"
        await racing.pilot.press("c")
        assert racing.app.clipboard.startswith("broken off: the engines are [gone]\n")
        racing.app.fault = None


def test_nothing_measured_says_why() -> None:
    frame = replace(
        next(iter(frames(1, warmup=9))), events=(Event(0.0, "mysql", "engine died [1]"),)
    )
    app = TelemonApp(
        RaceConfig(),
        factory(SyntheticSource([frame], linger=False)),
        terminal=Terminal(),
        host=StillHost(),
    )
    app.run(headless=True)
    assert app.return_code == 1
    assert app.fault == "nothing was measured: mysql: engine died [1]"


def test_pictures_are_dropped_and_not_queued() -> None:
    """A screen that takes nothing gets one picture, and every frame is counted all the same."""
    posted: list[object] = []
    source = SyntheticSource(list(usual()), linger=False)
    feed = FrameFeed(RaceConfig(), factory(source), posted.append, fps=60, host=None)
    feed.run()
    views = [message for message in posted if type(message).__name__ == "ViewReady"]
    # The first, and the last one, which is always shown at the end.
    assert len(views) == 2
    assert feed.dropped == 59
    assert feed.summary is not None
    assert feed.summary.duration_s == 14.0


def test_quit_before_there_was_a_source_to_stop_makes_no_frame() -> None:
    posted: list[object] = []
    source = SyntheticSource(list(usual()), linger=False)
    feed = FrameFeed(RaceConfig(), factory(source), posted.append, fps=60, host=None)
    feed.stop()
    feed.run()
    assert [type(message).__name__ for message in posted] == ["LanesKnown", "SourceEnded"]
    assert feed.error is None
    assert feed.summary is not None
    assert feed.summary.duration_s == 0.0
    assert source.exited


def test_nothing_of_the_environment_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLORTERM", raising=False)
    before = dict(os.environ)
    app = TelemonApp(RaceConfig(), factory(SyntheticSource([], linger=False)), host=StillHost())
    app.run(headless=True)
    assert dict(os.environ) == before


def test_what_was_dropped_is_shown_when_nothing_follows() -> None:
    posted: list[object] = []
    source = SyntheticSource(list(usual()))
    feed = FrameFeed(RaceConfig(), factory(source), posted.append, fps=60, host=None)
    feed.start_thread()

    def last_seq() -> int:
        views = [message.view.seq for message in posted if isinstance(message, ViewReady)]
        return views[-1] if views else -1

    wait_for(lambda: feed.dropped == 59)
    feed.catch_up()
    # The screen has not taken the first one yet.
    assert last_seq() == 0
    feed.taken()
    time.sleep(0.1)
    feed.catch_up()
    assert last_seq() == 59
    shown = len(posted)
    feed.catch_up()
    assert len(posted) == shown
    feed.stop()
    assert feed.join(5)


def wait_for(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.02)


class NeverStarts(SyntheticSource):
    """A source whose start waits for something that nothing interrupts."""

    def __enter__(self) -> Self:
        threading.Event().wait()
        raise AssertionError


def test_a_start_that_never_ends_is_left_behind() -> None:
    source = NeverStarts([], linger=False)
    feed = FrameFeed(RaceConfig(), factory(source), lambda _: None, fps=60, host=None)
    feed.start_thread()
    assert not feed.join(0.2)
    began_s = time.monotonic()
    feed.stop()
    feed.leave()
    assert time.monotonic() - began_s < 2 * ABANDON_S + 0.5
    assert feed.error is None
