"""A lane's numbers in large digits: rows per second, percentiles, hits and misses."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.geometry import Size

from engines.model.roles import ROLES
from tui.draw import lane_style as lanelook
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
from tui.widgets.lane.header import ROOMY, badges

ROWS = 15
"""With air between the groups; three fewer without."""

TOGETHER = 64
"""The widest that a figure and its percentiles stand apart."""

BESIDE = 13
"""The fewest cells of the percentiles."""

ROOM = "000,000"
"""The widest figure that keeps its place."""

SHORTEST = "00.0k"
"""The narrowest form of a figure, at its widest."""


def role_rows(screen_state: ScreenState, lane: LaneView, role: str, width: int) -> list[Line]:
    """Four rows for the writers or the readers: a heading with the rank, and three of digits with percentiles."""
    numbers: RoleView = getattr(lane, role)
    title: list[Span] = [({"write": "writes", "read": "reads"}[role], TEXT)]
    if width >= ROOMY or not lane.paced:
        title.append((" rows/s", QUIET))
    if lane.paced:
        title += backlog(numbers, brief=width < ROOMY)
    style = lanelook.text_style(lane.lane)
    place = lanelook.rank_of(lane.places.get(role), style)
    if cells(title) + cells(place) + 1 > width:
        place = place[:1]
    heading = justify(title, place, width)
    beside = _open_loop(numbers, width) if lane.paced else _service(screen_state, lane, role, width)
    taken = max(BESIDE, *(cells(side) + 1 for side in beside))
    room = min(len(rows_of(ROOM, 0, 1)[0]), width - taken)
    figure = lanelook.done(lane, numbers.rows_per_s, count)
    if len(rows_of(figure, 0, 1)[0]) > room:
        # A cut figure would be a wrong one.
        figure = short(numbers.rows_per_s)
    if screen_state.glyphs == "ascii":
        return [heading, *_plain_figure(figure, beside, style, width)]
    # Padded to a fixed width, or the digits would wander with every power of ten.
    big = [row.rjust(room) for row in rows_of(figure, 0, 1)]
    lines = [
        justify(fit([(row, style)], max(0, width - taken)), side, width)
        for row, side in zip(big, beside, strict=True)
    ]
    return [heading, *lines]


def _service(screen_state: ScreenState, lane: LaneView, role: str, width: int) -> list[list[Span]]:
    """The percentiles of a closed loop, and what of the median is telemon's own."""
    numbers: RoleView = getattr(lane, role)
    p50: list[Span] = [("p50 ", QUIET), (latency(numbers.p50_us).rjust(8), TEXT)]
    p99: list[Span] = [("p99 ", QUIET), (latency(numbers.p99_us).rjust(8), STRONG)]
    room = width - len(rows_of(ROOM, 0, 1)[0]) - 1
    own = overhead(screen_state.lane_info(lane.lane), role, room, numbers.scheduling_delay_us)
    return [p50, own, p99] if own and _fits(own, width) else [[], p50, p99]


def _open_loop(numbers: RoleView, width: int) -> list[list[Span]]:
    """Service and response times; where there is no room for both, those that show what a lane owes."""
    both = both_times(numbers)
    return both if _fits(both[0], width) else response_times(numbers)


def _fits(beside: list[Span], width: int) -> bool:
    """Whether so much beside a figure leaves it whole."""
    return cells(beside) + 1 + len(rows_of(SHORTEST, 0, 1)[0]) <= width


def _plain_figure(figure: str, beside: list[list[Span]], style: str, width: int) -> list[Line]:
    rows: list[list[Span]] = [[], [(f"  {figure:>9}", style)], []]
    return [justify(row, side, width) for row, side in zip(rows, beside, strict=True)]


def _fills(screen_state: ScreenState, lane: LaneView, width: int) -> Line:
    """What misses led to, and telemon's own share where it has no room beside the percentiles."""
    fills = fills_line(lane, width)
    lane_info = screen_state.lane_info(lane.lane)
    beside = not lane.paced and all(_fits(overhead(lane_info, role, 0), width) for role in ROLES)
    own = [] if beside else overheads(lane_info, width - cells(fills))
    return justify(fills, own, width)


def _last(lane: LaneView, bound: Sequence[list[Span]], width: int) -> Line:
    """Errors, and what limits the lane where the title has no room for it: of that as much as leaves errors whole."""
    text = "".join(text for text, _ in error_line(lane, width)).rstrip()
    said = first_fitting(bound, width - cell_len(text) - 1)
    if not said and bound and bound[-1] == badge(CLIENT_BOUND):
        said = bound[-1]
    return justify(error_line(lane, width - cells(said)), said, width)


class LaneFigures(LanePanel):
    """Fifteen rows: writes, reads, how reads were answered, and errors."""

    DEFAULT_CSS = "LaneFigures { height: 15; }"

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        # A lane alone on a wide screen keeps its figures together.
        width = min(size.width, TOGETHER)
        # Air goes first where rows are few.
        air = [BLANK] if size.height >= ROWS else []
        below = badges(screen_state, lane, size.width)
        overloaded = [span for said in below.overloaded for span in said]
        return [
            *air,
            *role_rows(screen_state, lane, "write", width),
            *air,
            *role_rows(screen_state, lane, "read", width),
            *air,
            tuple(hit_counts(lane, width)),
            justify(
                ratio_line(lane, width - cells(overloaded), screen_state.glyphs), overloaded, width
            ),
            _fills(screen_state, lane, width),
            _last(lane, below.client_bound, width),
        ]
