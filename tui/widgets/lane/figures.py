"""Show a lane's numbers in large digits: rows per second, percentiles, hits and misses."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.geometry import Size

from engines.model.lanes import LaneInfo
from engines.model.roles import ROLES
from tui.draw import lane_style
from tui.draw.big_digits import rows_of
from tui.draw.cache_text import error_line, fills_line, hit_counts, ratio_line
from tui.draw.client_bound_text import CLIENT_BOUND, badge
from tui.draw.format import count, latency, short
from tui.draw.open_loop_text import backlog, both_times, response_times
from tui.draw.overhead_text import overhead, overheads
from tui.draw.styled import BLANK, QUIET, STRONG, TEXT, Line, Span, first_fitting, fit, justify
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.view.view import LaneView, RoleView
from tui.widgets.base.lane_panel import LanePanel
from tui.widgets.lane.header import WIDE_TITLE_CELLS, badges

ROWS_WITH_SPACERS = 15
"""Rows with spacer rows between the groups; without them there are three fewer."""

FIGURES_CELLS = 64
"""Maximum width in cells of a figure and its percentiles: on a wide screen they stay together."""

SIDE_CELLS = 13
"""Minimum width in cells of the percentiles beside a figure."""

WIDEST_FIGURE = "000,000"
"""Widest figure that keeps its position. It sets the width that is reserved for figures."""

NARROWEST_FIGURE = "00.0k"
"""Widest text of the shortest form of a figure."""


def role_rows(
    lane_info: LaneInfo, lane: LaneView, role: str, width: int, *, ascii_only: bool
) -> list[Line]:
    """Return four rows for a role: a heading with the rank, and three of large digits with percentiles at the right."""
    numbers: RoleView = getattr(lane, role)
    title: list[Span] = [({"write": "writes", "read": "reads"}[role], TEXT)]
    if width >= WIDE_TITLE_CELLS or not lane.paced:
        title.append((" rows/s", QUIET))
    if lane.paced:
        title += backlog(numbers, brief=width < WIDE_TITLE_CELLS)
    style = lane_style.text_style(lane.lane)
    rank_spans = lane_style.rank_spans(lane.ranks.get(role), style)
    if cells(title) + cells(rank_spans) + 1 > width:
        rank_spans = rank_spans[:1]
    heading = justify(title, rank_spans, width)
    side_rows = _open_loop(numbers, width) if lane.paced else _service(lane_info, lane, role, width)
    side_cells = max(SIDE_CELLS, *(cells(side) + 1 for side in side_rows))
    available = min(len(rows_of(WIDEST_FIGURE, 0, 1)[0]), width - side_cells)
    figure = lane_style.done(lane, numbers.rows_per_s, count)
    if len(rows_of(figure, 0, 1)[0]) > available:
        # A figure that is cut would be a wrong one.
        figure = short(numbers.rows_per_s)
    if ascii_only:
        return [heading, *_plain_figure(figure, side_rows, style, width)]
    # Padded to a fixed width, or the digits would move with every power of ten.
    big = [row.rjust(available) for row in rows_of(figure, 0, 1)]
    lines = [
        justify(fit([(row, style)], max(0, width - side_cells)), side, width)
        for row, side in zip(big, side_rows, strict=True)
    ]
    return [heading, *lines]


def _service(lane_info: LaneInfo, lane: LaneView, role: str, width: int) -> list[list[Span]]:
    """Return the percentiles of a closed loop, and the client overhead of the median."""
    numbers: RoleView = getattr(lane, role)
    p50: list[Span] = [("p50 ", QUIET), (latency(numbers.p50_us).rjust(8), TEXT)]
    p99: list[Span] = [("p99 ", QUIET), (latency(numbers.p99_us).rjust(8), STRONG)]
    available = width - len(rows_of(WIDEST_FIGURE, 0, 1)[0]) - 1
    own = overhead(lane_info, role, available, numbers.scheduling_delay_us)
    return [p50, own, p99] if own and _fits(own, width) else [[], p50, p99]


def _open_loop(numbers: RoleView, width: int) -> list[list[Span]]:
    """Return service and response times; only response times if both do not fit."""
    both = both_times(numbers)
    return both if _fits(both[0], width) else response_times(numbers)


def _fits(side: list[Span], width: int) -> bool:
    """Return whether a figure stays whole with `side` beside it."""
    return cells(side) + 1 + len(rows_of(NARROWEST_FIGURE, 0, 1)[0]) <= width


def _plain_figure(figure: str, side_rows: list[list[Span]], style: str, width: int) -> list[Line]:
    """Return the three rows of a figure in ASCII, where there are no large digits."""
    rows: list[list[Span]] = [[], [(f"  {figure:>9}", style)], []]
    return [justify(row, side, width) for row, side in zip(rows, side_rows, strict=True)]


def _fills(lane_info: LaneInfo, lane: LaneView, width: int) -> Line:
    """Return the cache fills, and the client overhead if it does not fit beside the percentiles."""
    fills = fills_line(lane, width)
    shown_above = not lane.paced and all(
        _fits(overhead(lane_info, role, 0), width) for role in ROLES
    )
    own = [] if shown_above else overheads(lane_info, width - cells(fills))
    return justify(fills, own, width)


def _last(lane: LaneView, bound: Sequence[list[Span]], width: int) -> Line:
    """Return the errors, and the limits of the client that do not fit into the title, as far as errors stay whole."""
    text = "".join(text for text, _ in error_line(lane, width)).rstrip()
    bound_spans = first_fitting(bound, width - cell_len(text) - 1)
    if not bound_spans and bound and bound[-1] == badge(CLIENT_BOUND):
        bound_spans = bound[-1]
    return justify(error_line(lane, width - cells(bound_spans)), bound_spans, width)


class LaneFigures(LanePanel):
    """Fifteen rows: writes, reads, how reads were answered, and errors."""

    DEFAULT_CSS = "LaneFigures { height: 15; }"

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        """Return the rows; with fewer than fifteen, the spacer rows are left out."""
        # A single lane on a wide screen keeps its figures together.
        width = min(size.width, FIGURES_CELLS)
        # Spacer rows are dropped first where there are few rows.
        spacer = [BLANK] if size.height >= ROWS_WITH_SPACERS else []
        lane_info = screen_state.lane_info(lane.lane)
        glyphs = screen_state.presentation.glyphs
        ascii_only = glyphs == "ascii"
        below = badges(lane_info, lane, size.width)
        overloaded = [span for variant in below.overloaded for span in variant]
        return [
            *spacer,
            *role_rows(lane_info, lane, "write", width, ascii_only=ascii_only),
            *spacer,
            *role_rows(lane_info, lane, "read", width, ascii_only=ascii_only),
            *spacer,
            tuple(hit_counts(lane, width)),
            justify(
                ratio_line(lane, width - cells(overloaded), glyphs),
                overloaded,
                width,
            ),
            _fills(lane_info, lane, width),
            _last(lane, below.client_bound, width),
        ]
