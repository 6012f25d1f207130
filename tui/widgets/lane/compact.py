"""A lane in four rows, for a terminal of 60 to 99 columns."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engines.model.roles import ROLES
from tui.draw import lane_style as lanelook
from tui.draw.cache_text import hit_counts
from tui.draw.chart import sparkline
from tui.draw.format import count, latency, sanitize, short
from tui.draw.open_loop_text import late_text
from tui.draw.overhead_text import overheads
from tui.draw.styled import QUIET, STRONG, TEXT, Line, Span, first_fitting, justify
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.view.view import LaneView, RoleView
from tui.widgets.base.lane_panel import LanePanel
from tui.widgets.lane.chart import newest, paired
from tui.widgets.lane.header import badges, title_line

FIGURES = 57
"""The cells of a closed loop's figures."""

BLOCK_ROWS = 4


def trend_cells(width: int) -> int:
    """How much room so wide a block has for the past."""
    return max(0, width - FIGURES)


def role_line(screen_state: ScreenState, lane: LaneView, role: str, width: int) -> Line:
    """Rate, percentiles, rank and gap, and as much of the past as there is room for."""
    numbers: RoleView = getattr(lane, role)
    title = {"write": "writes", "read": "reads "}[role]
    rate: list[Span] = [
        (title, TEXT),
        (f"{lanelook.done(lane, numbers.rows_per_s, count):>9}/s", lanelook.text_style(lane.lane)),
    ]
    if lane.paced:
        return _open_loop(lane, role, rate, width)
    spans: list[Span] = [
        *rate,
        (f"  p50 {latency(numbers.p50_us):>8}  p99 ", QUIET),
        (f"{latency(numbers.p99_us):>8}", STRONG),
        (f"  {lanelook.rank_text(lane.places.get(role)):<10}", TEXT),
    ]
    room = width - cells(spans)
    view = screen_state.view
    if room >= 8 and view is not None:
        axis = view.axis if screen_state.shared_axis else lane.axis
        # Two points, one second, for each cell.
        values = paired(
            [
                None
                if point is None
                else (point.write_rows_per_s if role == "write" else point.read_rows_per_s)
                / axis.rows_per_s
                for point in newest(lane.points, room * 2)
            ],
            2,
            highest=False,
        )
        spans.append((sparkline(values, screen_state.glyphs), lane.lane))
    return tuple(spans)


def _open_loop(lane: LaneView, role: str, rate: list[Span], width: int) -> Line:
    """Where not all fits, response time and backlog stay: they alone show a lane that falls behind."""
    numbers: RoleView = getattr(lane, role)
    service: list[Span] = [("  p99 service ", QUIET), (f"{latency(numbers.p99_us):>7}", TEXT)]
    felt = (f"{latency(numbers.response_p99_us):>7}", STRONG)
    behind: list[Span] = [
        ("  backlog ", QUIET),
        (f"{short(numbers.backlog):>5}", STRONG if numbers.backlog else TEXT),
    ]
    spans = [*rate, *service, ("  response ", QUIET), felt, *behind]
    if cells(spans) > width:
        spans = [*rate, ("  response p99 ", QUIET), felt, *behind]
    told = lanelook.rank_text(lane.places.get(role))
    for rank in (told, told.partition(" ")[0]):
        if rank and cells(spans) + 2 + len(rank) <= width:
            return (*spans, (f"  {rank}", TEXT))
    return tuple(spans)


def _beside(screen_state: ScreenState, lane: LaneView) -> str:
    """The servers and their durability: there is no other row for them."""
    lane_info = screen_state.lane_info(lane.lane)
    return f"{lanelook.servers(lane_info)}, {sanitize(lane_info.durability)}"


def cache_line(screen_state: ScreenState, lane: LaneView, width: int) -> Line:
    """How reads were answered, and at the right what failed: errors first, then lateness, telemon's share last."""
    cache: list[Span] = [("cache  ", TEXT)]
    end = first_fitting(
        ([(f"  {text}", style)] for [(text, style)] in lanelook.errors(lane)), width
    )
    cache += hit_counts(lane, width - cells(cache) - cells(end), brief=True)
    room = width - cells(cache) - cells(end)
    bound = badges(screen_state, lane, width, _beside(screen_state, lane)).client_bound
    for said in ([late_text(lane, brief=True)], [[("  ", TEXT), *words] for words in bound]):
        if more := first_fitting(said, room):
            end = [*more, *end]
            room -= cells(more)
    return justify(cache, [*overheads(screen_state.lane_info(lane.lane), room), *end], width)


def compact_lines(screen_state: ScreenState, lane: LaneView, number: int, size: Size) -> list[Line]:
    """Title, writes, reads, cache and errors. In three rows the title tells of errors."""
    width, height = size
    low = height < BLOCK_ROWS
    title = title_line(
        screen_state,
        lane,
        number,
        width,
        _beside(screen_state, lane),
        errors=lanelook.errors(lane) if low else (),
    )
    roles = [role_line(screen_state, lane, role, width) for role in ROLES]
    return [title, *roles] if low else [title, *roles, cache_line(screen_state, lane, width)]


class CompactLane(LanePanel):
    """A lane's block, at its full height."""

    DEFAULT_CSS = "CompactLane { height: 4; }"

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        return compact_lines(screen_state, lane, self.number, size)
