"""A lane in four rows, for a terminal of 60 to 99 columns."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engines.model.lanes import LaneInfo
from engines.model.roles import ROLES
from tui.draw import lane_style
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

FIGURES_CELLS = 57
"""Width in cells of the figures of a closed loop."""

COMPACT_ROWS = 4
"""Rows of a compact lane."""


def trend_cells(width: int) -> int:
    """Return how many cells a compact lane of `width` cells has for its sparkline."""
    return max(0, width - FIGURES_CELLS)


def role_line(screen_state: ScreenState, lane: LaneView, role: str, width: int) -> Line:
    """Return rate, percentiles, rank and factor of a role, and a sparkline in the remaining cells."""
    numbers: RoleView = getattr(lane, role)
    title = {"write": "writes", "read": "reads "}[role]
    rate: list[Span] = [
        (title, TEXT),
        (
            f"{lane_style.done(lane, numbers.rows_per_s, count):>9}/s",
            lane_style.text_style(lane.lane),
        ),
    ]
    if lane.paced:
        return _open_loop(lane, role, rate, width)
    spans: list[Span] = [
        *rate,
        (f"  p50 {latency(numbers.p50_us):>8}  p99 ", QUIET),
        (f"{latency(numbers.p99_us):>8}", STRONG),
        (f"  {lane_style.rank_text(lane.ranks.get(role)):<10}", TEXT),
    ]
    available = width - cells(spans)
    view = screen_state.view
    if available >= 8 and view is not None:
        axis = view.axis if screen_state.presentation.shared_axis else lane.axis
        # Each cell shows two points, which is one second.
        values = paired(
            [
                None
                if point is None
                else (point.write_rows_per_s if role == "write" else point.read_rows_per_s)
                / axis.rows_per_s
                for point in newest(lane.points, available * 2)
            ],
            2,
            highest=False,
        )
        spans.append((sparkline(values, screen_state.presentation.glyphs), lane.lane))
    return tuple(spans)


def _open_loop(lane: LaneView, role: str, rate: list[Span], width: int) -> Line:
    """Return the figures of an open loop.

    If not all fit, response time and backlog are kept: only they show an overload.
    """
    numbers: RoleView = getattr(lane, role)
    service: list[Span] = [("  p99 service ", QUIET), (f"{latency(numbers.p99_us):>7}", TEXT)]
    response = (f"{latency(numbers.response_p99_us):>7}", STRONG)
    behind: list[Span] = [
        ("  backlog ", QUIET),
        (f"{short(numbers.backlog):>5}", STRONG if numbers.backlog else TEXT),
    ]
    spans = [*rate, *service, ("  response ", QUIET), response, *behind]
    if cells(spans) > width:
        spans = [*rate, ("  response p99 ", QUIET), response, *behind]
    rank_text = lane_style.rank_text(lane.ranks.get(role))
    for rank in (rank_text, rank_text.partition(" ")[0]):
        if rank and cells(spans) + 2 + len(rank) <= width:
            return (*spans, (f"  {rank}", TEXT))
    return tuple(spans)


def _subtitle(lane_info: LaneInfo) -> str:
    """Return servers and durability, which have no row of their own here."""
    return f"{lane_style.servers(lane_info)}, {sanitize(lane_info.durability)}"


def cache_line(lane_info: LaneInfo, lane: LaneView, width: int) -> Line:
    """Return how reads were answered; at the right errors, late starts, limits and client overhead, by priority."""
    cache: list[Span] = [("cache  ", TEXT)]
    end = first_fitting(
        ([(f"  {text}", style)] for [(text, style)] in lane_style.errors(lane)), width
    )
    cache += hit_counts(lane, width - cells(cache) - cells(end), brief=True)
    available = width - cells(cache) - cells(end)
    bound = badges(lane_info, lane, width, _subtitle(lane_info)).client_bound
    for variants in ([late_text(lane, brief=True)], [[("  ", TEXT), *spans] for spans in bound]):
        if more := first_fitting(variants, available):
            end = [*more, *end]
            available -= cells(more)
    return justify(cache, [*overheads(lane_info, available), *end], width)


def compact_lines(screen_state: ScreenState, lane: LaneView, number: int, size: Size) -> list[Line]:
    """Return title, writes, reads, and cache with errors. With only three rows the title shows the errors."""
    width, height = size
    low = height < COMPACT_ROWS
    lane_info = screen_state.lane_info(lane.lane)
    title = title_line(
        lane_info,
        lane,
        number,
        width,
        _subtitle(lane_info),
        errors=lane_style.errors(lane) if low else (),
    )
    roles = [role_line(screen_state, lane, role, width) for role in ROLES]
    return [title, *roles] if low else [title, *roles, cache_line(lane_info, lane, width)]


class CompactLane(LanePanel):
    """A compact lane in its full height."""

    DEFAULT_CSS = "CompactLane { height: 4; }"

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        """Return the lane's four rows."""
        return compact_lines(screen_state, lane, self.number, size)
