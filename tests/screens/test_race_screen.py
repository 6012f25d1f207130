"""The race on the screen: what it says is what the frames hold, and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Event, Frame, LaneFrame, LaneState
from engines.metrics.histogram import Histogram
from engines.metrics.stats import CacheStats, RoleStats
from engines.model.lanes import LaneInfo
from engines.results.summary import Summary
from tests.screens.conftest import Launch
from tests.support.synthetic_frames import ENTRANTS, SyntheticSource, frames, usual
from tui.app.app import TelemonApp
from tui.messages import ViewReady
from tui.widgets.base.lines import LinesWidget
from tui.widgets.race.host_load import HostLoadBar
from tui.widgets.race.key_bar import KeyBar


def work(rows: int, us: float) -> RoleStats:
    """`rows` rows in a second, each in an operation of `us`."""
    histogram = Histogram()
    for _ in range(rows):
        histogram.record(int(us * 1000))
    return RoleStats(operations=rows, rows=rows, service=histogram.take(), interval_s=1.0)


def one_frame() -> Frame:
    """A frame with figures that can be told apart."""
    return Frame(
        seq=0, at_utc_s=0.0, at_monotonic_s=10.0, interval_s=1.0, elapsed_s=1.0,
        lanes=(
            LaneFrame("mysql", LaneState.RACING, work(1234, 5000), work(2345, 250)),
            LaneFrame("cached", LaneState.RACING, work(1111, 6000), work(4321, 120), CacheStats(4000, 321, 300, 21)),
            LaneFrame("durable", LaneState.RECONNECTING, work(5555, 750), work(6543, 80), CacheStats(6540, 3)),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("size", [(160, 48), (120, 30), (100, 24), (80, 24)])
async def test_shows_what_the_frame_holds(launch: Launch, size: tuple[int, int]) -> None:
    async with launch([one_frame()], size=size) as racing:
        await racing.shows("racing", "reconnecting")
        text = racing.text()
        for title in ("1 ● MySQL", "2 ▲ MySQL + cache", "3 ■ Durable Redis"):
            assert title in text
        # Every operation of a role took the same time, so p50 and p99 are that time.
        for latency in ("5.00 ms", "0.25 ms", "6.00 ms", "0.12 ms", "0.75 ms", "0.08 ms"):
            assert text.count(latency) >= 2
        assert ("hits 4,000" if size[0] >= 100 else "hits 4.00k") in text
        assert "misses 321" in text


@pytest.mark.parametrize(("writers", "readers"), [(1, 1), (2, 0), (0, 16)])
async def test_connections_are_counted_in_words(launch: Launch, writers: int, readers: int) -> None:
    async with launch(
        [one_frame()], settings=RaceConfig(writers=writers, readers=readers)
    ) as racing:
        told = [
            f"{n} {role}{'s' * (n != 1)} " for n, role in ((writers, "writer"), (readers, "reader"))
        ]
        await racing.shows("".join(told))


async def test_writes_large_digits(launch: Launch) -> None:
    async with launch([one_frame()], size=(160, 48)) as racing:
        await racing.shows("racing")
        # 1,234 in the pixel font: the middle row of its digits.
        assert " █  ▄ █▀▀ ▀▀█ ▀▀█" in racing.text()


def assert_within(app: TelemonApp) -> None:
    """What is shown is within the terminal, each row as wide as its widget. Of two rows none is for the keys."""
    shown = [
        widget for widget in app.screen.query(LinesWidget) if widget.display and widget.region.area
    ]
    if app.size.height == 2:
        shown = [widget for widget in shown if not isinstance(widget, KeyBar)]
    for widget in shown:
        assert app.screen.region.contains_region(widget.region), widget
        assert len(widget.lines) == widget.size.height
        assert all(cell_len(line) == widget.size.width for line in widget.lines)
    assert len(shown) >= 2


@pytest.mark.parametrize(
    "size", [(160, 48), (80, 24), (60, 20), (40, 12), (30, 6), (20, 3), (5, 2)]
)
async def test_shows_something_in_every_size(launch: Launch, size: tuple[int, int]) -> None:
    async with launch(list(usual()), size=size) as racing:
        await racing.until(lambda: any(char.isdigit() for char in racing.text()))
        assert_within(racing.app)


async def test_small_terminal_has_rates_and_p99_of_all_lanes(launch: Launch) -> None:
    async with launch([one_frame()], size=(40, 12)) as racing:
        await racing.shows("1.23k/s", "4.32k/s", "6.54k/s", "0.08 ms", "6.00 ms")


async def test_resizing_while_racing(launch: Launch) -> None:
    source = SyntheticSource(frames(100), interval_s=0.02)
    async with launch(source=source) as racing:
        await racing.shows("racing")
        for size in ((80, 24), (40, 12), (200, 50), (10, 3), (120, 30)):
            await racing.pilot.resize_terminal(*size)
            await racing.until(lambda size=size: tuple(racing.app.screen.size) == size)  # type: ignore[misc]
            await racing.pilot.pause(0.05)
            assert_within(racing.app)
        await racing.shows("1 ● MySQL", "append-only file")


async def test_quit_hands_the_summary_back(launch: Launch) -> None:
    async with launch() as racing:
        await racing.shows("racing")
        await racing.until(lambda: racing.app.feed.summary.duration_s == 14.0)  # type: ignore[union-attr]
        await racing.pilot.press("q")
        await racing.until(lambda: racing.source.exited)
    summary = racing.app.feed.summary
    assert isinstance(summary, Summary)
    written = sum(lane.write.rows for frame in usual() for lane in frame.lanes if frame.elapsed_s)
    assert sum(lane.write.rows for lane in summary.lanes()) == written


async def test_text_from_servers_is_never_markup(launch: Launch) -> None:
    nasty = "[bold red]x[/] [@click=app.quit]y[/] \x1b[31m\x07 [/nothing] [link=z]"
    lane_infos = tuple(
        LaneInfo(e.lane, nasty, nasty, nasty, nasty, nasty, (nasty,)) for e in ENTRANTS
    )
    frame = replace(one_frame(), events=(Event(0.0, None, nasty), Event(0.0, "mysql", nasty)))
    for size in ((160, 48), (80, 24), (40, 12)):
        source = SyntheticSource([frame], lane_infos=lane_infos)
        async with launch(source=source, size=size) as racing:
            await racing.shows("[bold red]x[/]")
            assert "\x1b" not in racing.text()
            assert "\x07" not in racing.text()


async def test_freezes_at_the_frame_that_was_there(launch: Launch) -> None:
    source = SyntheticSource(frames(800), interval_s=0.01)
    async with launch(source=source) as racing:
        await racing.shows("racing")
        await racing.pilot.press("f")
        await racing.shows("DISPLAY FROZEN")
        before = racing.text()
        counted = racing.app.feed.summary.duration_s  # type: ignore[union-attr]
        await racing.until(lambda: racing.app.feed.summary.duration_s > counted + 2)  # type: ignore[union-attr]
        assert racing.text() == before
        await racing.pilot.press("f")
        await racing.until(lambda: racing.text() != before)


async def test_a_picture_that_was_overtaken_is_not_shown(launch: Launch) -> None:
    async with launch([one_frame()]) as racing:
        await racing.shows("racing")
        app = racing.app
        shown = app._screen_state.view
        assert shown is not None
        newer = replace(shown, seq=7, window_s=30.0)
        app.post_message(ViewReady(newer))
        await racing.shows("window 30 s")
        app.post_message(ViewReady(replace(shown, seq=6, window_s=2.0)))
        await racing.pilot.pause(0.1)
        assert app._screen_state.view is newer
        # One that is as new is: the window was changed by key.
        app.post_message(ViewReady(replace(shown, seq=7, window_s=60.0)))
        await racing.shows("window 60 s")


async def test_the_strip_names_what_is_at_its_limit_and_what_is_late(launch: Launch) -> None:
    def strip() -> str:
        return " ".join(racing.app.screen.query_one(HostLoadBar).lines[0].split())

    async with launch(list(usual())) as racing:
        await racing.shows("racing", "screen lag")
        # Only the third lane's engines are above their limit.
        await racing.until(lambda: "client-bound ■ screen lag" in strip())
        racing.app._show(screen_lag_s=0.05)
        assert "LATE" not in strip()
        racing.app._show(screen_lag_s=0.25)
        assert "screen lag 250 ms LATE" in strip()
