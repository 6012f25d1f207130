"""Nothing on the screen is cut into something else, in any size: a figure is whole or it is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from textual.geometry import Size

from engines.metrics.frame import Event, Frame, LaneFrame, LaneState
from engines.metrics.histogram import Histogram
from engines.metrics.stats import CacheStats, ClientStats
from engines.model.lanes import LaneInfo
from tests.screens.conftest import Launch, StillHost
from tests.screens.test_race_screen import work
from tests.support.open_loop_frames import paced
from tests.support.synthetic_frames import SyntheticSource
from tui.draw import format as figures
from tui.draw import lane_style
from tui.draw.big_digits import rows_of
from tui.draw.styled import Line
from tui.draw.styled import width as cells
from tui.report.clipboard import standings_text
from tui.view.history import ViewBuilder
from tui.view.load_settings import LoadSettings
from tui.view.state import Presentation, ScreenState, StartState
from tui.view.view import LaneView
from tui.widgets.lane.chart import LaneChart
from tui.widgets.lane.compact import CompactLane
from tui.widgets.lane.figures import LaneFigures
from tui.widgets.lane.header import LaneHeader
from tui.widgets.lane.minimal import MinimalLanes
from tui.widgets.lane.stage import StageLane
from tui.widgets.race.event_log import EventLog
from tui.widgets.race.header import Header
from tui.widgets.race.host_load import HostLoadBar
from tui.widgets.race.standings import Standings

ENTRANTS = tuple(
    LaneInfo(lane, title, "approach", "product", "", "durability", overhead_us={"write": 187.0, "read": 25.0})
    for lane, title in (("mysql", "MySQL"), ("cached", "MySQL + cache"), ("durable", "Durable Redis"))
)  # fmt: skip


def busy() -> Histogram:
    histogram = Histogram()
    for _ in range(100):
        histogram.record(990_000_000)
    return histogram


def sick() -> Frame:
    """A race in which much is wrong, with figures of many digits."""
    errors = {"mysql_1213_deadlock": 321, "redis_moved": 1_234_000}
    cached = LaneFrame(
        "cached",
        LaneState.RECONNECTING,
        work(4_860, 6_000),
        replace(work(14_000, 14_000), errors=errors),
        CacheStats(123_456_789, 32_198_765, 3_000_000, 2_100_000),
    )
    durable = LaneFrame(
        "durable",
        LaneState.RACING,
        work(17_000, 750),
        work(20_500, 80),
        CacheStats(6_540, 3),
        client=ClientStats(cpu_share=0.95, loop_lag=busy().take(), cpu_loop_lag=busy().take()),
    )
    mysql = LaneFrame("mysql", LaneState.RACING, work(2_540, 123_456), work(14_000, 250))
    return Frame(
        seq=0, at_utc_s=0.0, at_monotonic_s=10.0, interval_s=1.0, elapsed_s=1.0,
        lanes=(mysql, cached, durable),
    )  # fmt: skip


def scene_of(frame: Frame, presentation: Presentation | None = None) -> ScreenState:
    history = ViewBuilder()
    history.add(frame)
    return ScreenState(
        view=history.view(), lane_infos=ENTRANTS, presentation=presentation or Presentation()
    )


SCENES = {
    "closed": scene_of(sick()),
    "open": scene_of(next(paced([sick()]))),
    "ascii": scene_of(sick(), Presentation(glyphs="ascii", stage=True)),
}


def whole(screen_state: ScreenState) -> set[str]:
    """Every figure of a scene in every form in which it may be written."""
    assert screen_state.view is not None
    found = {"5 s", "0"}
    for lane in screen_state.view.lanes:
        numbers: list[float] = [lane.rows, lane.late, *_totals(lane)]
        for role in (lane.write, lane.read):
            numbers += [role.rows_per_s, role.window_rows_per_s, role.backlog, role.failed]
            numbers += role.errors.values()
            for us in (role.p50_us, role.p99_us, role.response_p50_us, role.response_p99_us):
                found.add(figures.latency(us))
        found |= {write(number) for number in numbers for write in (figures.count, figures.short)}
        found.add(figures.share(lane.hit_ratio))
        found |= {figure for limit in lane.client_bound_by for figure in FIGURE.findall(limit)}
        for place in lane.ranks.values():
            found |= {
                figures.ordinal(place.position or 0),
                figures.margin(place.factor),
                str(place.position),
            }
    for lane_info in ENTRANTS:
        found |= {f"{us:.0f} us" for us in lane_info.overhead_us.values()}
        found |= {f"{us:.0f}" for us in lane_info.overhead_us.values()}
    return found | {"p50", "p99", "P99", "1", "2", "3"}


def _totals(lane: LaneView) -> Iterator[float]:
    cache = lane.cache
    yield from (cache.hits, cache.misses, cache.fills, cache.duplicate_fills)
    yield lane.write.failed + lane.read.failed
    yield lane.write.backlog + lane.read.backlog


FIGURE = re.compile(r"[pP]?\d[\d.,]*(?:st|nd|rd|[kMGx])?(?: (?:ms|us|s|m|u|%)(?![a-z]))?")


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


def drawn(name: str, screen_state: ScreenState, size: Size) -> list[str]:
    """A widget's rows, as its place on the screen shows them: what is wider is cut there."""
    lines: list[Line] = []
    if name == "numbers":
        lines = list(MinimalLanes().draw(screen_state, size))
    elif name == "board":
        lines = list(Standings().draw(screen_state, size))
    else:
        made = {"stage": StageLane, "block": CompactLane, "figures": LaneFigures}[name]
        for index in range(3):
            lines += made(index).draw(screen_state, size)
    return [text_of(line)[: size.width] for line in lines]


SIZES: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    "numbers": (range(17, 150), range(3, 20)),
    "board": (range(60, 210, 3), (4,)),
    "stage": (range(22, 80), range(11, 45, 3)),
    "block": (range(59, 200), (4,)),
    "figures": (range(31, 120), (12, 15)),
}


@pytest.mark.parametrize("screen_state", SCENES)
@pytest.mark.parametrize("name", SIZES)
def test_every_figure_is_whole(name: str, screen_state: str) -> None:
    shown, wanted = SCENES[screen_state], whole(SCENES[screen_state])
    widths, heights = SIZES[name]
    for width in widths:
        for height in heights:
            rows = drawn(name, shown, Size(width, height))
            for row in rows:
                # An error's kind holds numbers, and is clipped with a mark.
                told = re.sub(r"errors:.*?(…|$|(?=  ))", "", row.replace("telemon w ", ""))
                for figure in FIGURE.findall(told):
                    assert figure in wanted, (width, height, figure, row)


def test_the_strip_of_the_host_is_cut_nowhere() -> None:
    screen_state = SCENES["closed"]
    assert screen_state.view is not None
    screen_state = replace(screen_state, view=replace(screen_state.view, host=StillHost().load()))
    (longest,) = HostLoadBar().draw(screen_state, Size(300, 1))
    for width in range(20, 300):
        (line,) = HostLoadBar().draw(screen_state, Size(width, 1))
        assert cells(line) <= width
        # In line with what stands above and below.
        assert text_of(line).startswith(" ")
        assert not text_of(line).startswith("  ")
        # Whole parts only; what the engines cost is told before what the machine has.
        parts = {part.strip().replace(" client-bound ■", "") for part in text_of(line).split("   ")}
        assert parts <= set(text_of(longest).strip().replace(" client-bound ■", "").split("   "))
        assert ("memory" in text_of(line)) <= ("engines" in text_of(line))


@pytest.mark.parametrize("holding", [False, True])
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_the_top_line_is_cut_nowhere(holding: bool, paused: bool, frozen: bool) -> None:
    """Half a clock is another time, and half a badge is not seen."""
    screen_state = replace(
        SCENES["closed"],
        start=StartState(holding=holding),
        paused=paused,
        presentation=Presentation(frozen=frozen),
    )
    assert screen_state.view is not None
    for elapsed_s in (0.0, 67.0):
        at = replace(
            screen_state,
            view=replace(screen_state.view, elapsed_s=elapsed_s),
            load_settings=LoadSettings(duration_s=90),
        )
        (longest,) = Header().draw(at, Size(250, 1))
        whole = set(text_of(longest).split()) | {"ENTER", "PAUSED", "FROZEN"}
        for width in range(12, 250):
            (line,) = Header().draw(at, Size(width, 1))
            assert cells(line) == width
            assert set(text_of(line).split()) <= whole, (width, text_of(line))
            if width >= 30:
                for shown, word in ((holding, "ENTER"), (paused, "PAUSED"), (frozen, "FROZEN")):
                    assert (word in text_of(line)) == shown, (width, text_of(line))
            if width >= 40:
                assert text_of(longest).split()[1] in text_of(line), (width, text_of(line))


@pytest.mark.parametrize("width", range(22, 80))
def test_large_figures_of_the_stage_are_whole(width: int) -> None:
    screen_state = SCENES["closed"]
    assert screen_state.view is not None
    lines = "\n".join(drawn("stage", screen_state, Size(width, 41)))
    for lane in screen_state.view.lanes:
        value = figures.short(lane.write.window_rows_per_s)
        assert value in lines or all(row.rstrip() in lines for row in rows_of(value, 0, 1))


@pytest.mark.parametrize("size", [(80, 16), (120, 17), (60, 17), (60, 12), (60, 8), (100, 6)])
async def test_a_low_terminal_has_names_states_and_errors(
    launch: Launch, size: tuple[int, int]
) -> None:
    source = SyntheticSource([sick()], lane_infos=ENTRANTS)
    async with launch(source=source, size=size) as racing:
        await racing.shows("● MySQL", "▲ MySQL + cache", "■ Durable Redis", "reconnecting")
        text = racing.text()
        assert "✗ 1.23M" in text or "✗ 1,234,321 errors" in text
        # Ranks of both roles: two lanes read equally fast.
        assert [text.count(rank) for rank in ("1st", "2nd", "3rd")] == [2, 3, 1]
        if size[0] >= 80:
            assert "client-bound" in text
        # Three rows for each lane wherever there are so many.
        assert ("p50" in text) == (size[1] >= 11)


@pytest.mark.parametrize("size", [(20, 5), (40, 8), (40, 12), (20, 12)])
async def test_a_small_terminal_has_every_lane_and_its_errors(
    launch: Launch, size: tuple[int, int]
) -> None:
    source = SyntheticSource([sick()], lane_infos=ENTRANTS)
    async with launch(source=source, size=size) as racing:
        await racing.shows("2.54k", "4.86k", "17.0k", "14.0k", "20.5k", "✗")
        assert racing.text().count("14.0k") == 2


@pytest.mark.parametrize("size", [(60, 20), (40, 12), (71, 40), (160, 17), (20, 5)])
async def test_a_stage_without_room_shows_what_fits(launch: Launch, size: tuple[int, int]) -> None:
    source = SyntheticSource([sick()], lane_infos=ENTRANTS)
    async with launch(source=source, size=size, stage=True) as racing:
        await racing.shows("✗")
        text = racing.text()
        for lane in sick().lanes:
            for role in (lane.write, lane.read):
                forms = (figures.short(role.rows_per_s), figures.count(role.rows_per_s))
                assert any(form in text for form in forms)
        # And the stage as soon as there is room for it.
        await racing.pilot.resize_terminal(120, 40)
        await racing.shows("WRITES", "✗ 1,234,321 errors", "██")


async def test_errors_are_shown_on_stage(launch: Launch) -> None:
    source = SyntheticSource([sick()], lane_infos=ENTRANTS)
    for size in ((80, 24), (160, 48)):
        async with launch(source=source, size=size, stage=True) as racing:
            await racing.shows("WRITES")
            assert "✗ 1,234,321 errors" in racing.text() or "✗ 1.23M" in racing.text()
        source = SyntheticSource([sick()], lane_infos=ENTRANTS)


async def test_kinds_of_errors_are_not_obeyed(launch: Launch) -> None:
    nasty = "ERR\x1b[31m[red]\u202e"
    failing = replace(work(10, 10), errors={nasty: 3})
    frame = replace(sick(), lanes=tuple(replace(lane, read=failing) for lane in sick().lanes))
    for size in ((160, 48), (100, 30), (80, 24), (40, 12)):
        async with launch(
            source=SyntheticSource([frame], lane_infos=ENTRANTS), size=size
        ) as racing:
            await racing.shows("✗ 3")
            assert "\x1b" not in racing.text()
            assert "\u202e" not in racing.text()


def alone() -> ScreenState:
    """One lane, which has nobody to be measured against."""
    frame = sick()
    return scene_of(replace(frame, lanes=frame.lanes[:1]))


def level() -> ScreenState:
    """Two lanes that are as good as equal, and one 4 % behind."""
    lanes = [
        LaneFrame(lane, LaneState.RACING, work(rows, 100), work(rows, 100))
        for lane, rows in (("mysql", 10_000), ("cached", 9_990), ("durable", 9_600))
    ]
    return scene_of(replace(sick(), lanes=tuple(lanes)))


ALL = ("numbers", "board", "stage", "block", "figures")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_without_a_rival_there_is_no_gap(name: str, ascii_only: bool) -> None:
    presentation = Presentation(glyphs="ascii" if ascii_only else "braille")
    screen_state = replace(alone(), presentation=presentation)
    for width in (59, 75, 120, 160) if name != "stage" else (22, 50):
        text = "\n".join(drawn(name, screen_state, Size(width, 15)))
        for sign in ("+-", "1st  -", "ahead", "behind", " -"):
            assert sign not in text, (width, sign)


@pytest.mark.parametrize("name", ALL)
def test_near_equals_are_told_apart_or_level(name: str) -> None:
    width = 50 if name == "stage" else 150
    text = "\n".join(drawn(name, level(), Size(width, 30)))
    assert "1.0x" not in text
    assert "level" in text
    assert "4 %" in text or name == "stage"


def test_places_in_words() -> None:
    screen_state = level()
    assert screen_state.view is not None
    told = [lane_style.rank_text(lane.ranks["write"]) for lane in screen_state.view.lanes]
    assert told == ["1st  level", "2nd  level", "3rd  4 %"]
    assert lane_style.rank_text(None) == ""
    told = [lane_style.rank_text(lane.ranks["write"]) for lane in alone().view.lanes]  # type: ignore[union-attr]
    assert told == [""]


Draw = Callable[[ScreenState, Size], Sequence[Line]]

LONG = "a text that is longer than any place that there is for it, and then some, " * 4


@pytest.mark.parametrize("width", [20, 31, 38, 58])
def test_words_that_are_cut_say_so(width: int) -> None:
    screen_state = SCENES["closed"]
    assert screen_state.view is not None
    lane_infos = tuple(
        LaneInfo(lane.lane, LONG, LONG, LONG, LONG, LONG) for lane in screen_state.view.lanes
    )
    events = tuple(Event(0.0, lane, LONG) for lane in (None, "mysql"))
    screen_state = replace(
        screen_state, lane_infos=lane_infos, view=replace(screen_state.view, events=events)
    )
    panels: list[Draw] = [LaneHeader(1).draw, EventLog().draw, MinimalLanes().draw]
    if width >= 31:
        panels += [LaneFigures(0).draw, LaneFigures(1).draw, StageLane(1).draw]
    for draw in panels:
        for line in draw(screen_state, Size(width, 15)):
            text = text_of(line)
            assert cells(line) <= width
            assert "…" in text or "a text" not in text
    # What has shorter forms uses them.
    text = "\n".join(text_of(line) for line in LaneFigures(0).draw(screen_state, Size(width, 15)))
    assert "no cache" in text
    assert not re.search(r"SELEC\b", text)


@pytest.mark.parametrize("width", range(25, 60))
@pytest.mark.parametrize("kind", ["rate", "p99"])
def test_legends_of_charts_lose_the_seconds_first(width: int, kind: str) -> None:
    for shared in (True, False):
        screen_state = replace(SCENES["closed"], presentation=Presentation(shared_axis=shared))
        heading = text_of(LaneChart(1, kind).draw(screen_state, Size(width, 8))[0])  # type: ignore[arg-type]
        assert "⠒ reads" in heading
        assert not re.search(r"\d+\b(?! s)", heading.replace("p99", ""))


def test_copied_standings_have_no_gap_without_a_rival_and_percents_of_near_ones() -> None:
    for screen_state, wanted in ((alone(), "0.25 ms\n"), (level(), "4 %")):
        assert screen_state.view is not None
        text = standings_text(screen_state.view, ENTRANTS)
        assert "1st -" not in text
        assert "1.0x" not in text
        assert wanted in text
