"""Show numbers only, for a terminal that is too small for anything else. Every size shows something."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engines.metrics.frame import LaneState
from engines.model.lanes import LaneInfo
from engines.model.roles import ROLES
from tui.draw import lane_style
from tui.draw.client_bound_text import CLIENT_BOUND, client_bound
from tui.draw.format import clip, latency, ordinal, short
from tui.draw.open_loop_text import OVERLOADED
from tui.draw.styled import BAD, BLANK, QUIET, STRONG, TEXT, Line, Span, first_fitting, fit, justify
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.view.view import LaneView, RoleView
from tui.widgets.base.panel import Panel
from tui.widgets.lane.compact import COMPACT_ROWS, FIGURES_CELLS, compact_lines

TITLED_ROWS = 3
"""Rows of a lane with a title: the lane's name, and one row for each role."""

ROLE_ROWS = 2
"""Rows of a lane without a title: one for each role."""

SINGLE_ROW_CELLS = 60
"""From this width in cells on, a single row has space for name and state."""

MARGIN_CELLS = 40
"""From this width in cells on, there is a margin at the left."""

NAME_CELLS, STATE_CELLS = 16, 12
"""Width in cells of the columns of names and states in a single row."""

PROBLEM_STATES = (LaneState.RECONNECTING, LaneState.DOWN)
"""States that are shown in place of a rank."""


def role_line(lane: LaneView, role: str, width: int, *, alone: bool) -> Line:
    """Return the rate, p99 and rank of one role. Parts that do not fit are left out, the rank last.

    With `alone` there is no title above the line, so it also shows the lane's mark, its errors and its state.
    """
    numbers = lane.role(role)
    mark: list[Span] = [(lane_style.shape(lane.lane), lane.lane)] if alone else []
    per_s = lane_style.done(lane, numbers.rows_per_s, short)
    rate: list[Span] = [
        *mark,
        (" w " if role == "write" else " r ", QUIET),
        (f"{per_s:>5}", lane_style.text_style(lane.lane)),
    ]
    unit: list[Span] = [("/s", lane_style.text_style(lane.lane))]
    if lane.paced:
        return (*rate, *unit, *_open_loop(numbers, width - cells(rate) - cells(unit)))
    rank_text = lane_style.rank_text(lane.ranks.get(role))
    right: list[Span] = [(f" {rank_text}", STRONG)] if rank_text else []
    if alone and role == "read" and lane.state in PROBLEM_STATES:
        right = [(f" {lane.state.value}", BAD)]
    p99: list[Span] = [(" p99 ", QUIET), (f"{latency(numbers.p99_us):>8}", TEXT)]
    available = width - cells(right)
    left = first_fitting(([*rate, *unit, *p99], [*rate, *unit], rate), available) or rate
    if alone and role == "write":
        error_spans = first_fitting(lane_style.errors(lane), available - cells(left) - 1)
        right = [(" ", TEXT), *error_spans, *right]
    return justify(left, right if cells(left) + cells(right) <= width else (), width)


def _open_loop(numbers: RoleView, width: int) -> list[Span]:
    """Return response time and backlog of an open loop.

    They are kept longest, because they show that a lane falls behind.
    """
    response = f" {latency(numbers.response_p99_us):>7}"
    behind = f"{short(numbers.backlog):>5}"
    variants = (
        [
            (" service p99", QUIET), (f" {latency(numbers.p99_us):>7}", TEXT),
            ("  response", QUIET), (response, STRONG), ("  backlog ", QUIET), (behind, STRONG),
        ],
        [(" response p99", QUIET), (response, TEXT), ("  backlog ", QUIET), (behind, STRONG)],
        [(" resp p99", QUIET), (response, TEXT), (" backlog ", QUIET), (behind, STRONG)],
        [(" resp", QUIET), (response, TEXT), (" backlog ", QUIET), (behind, STRONG)],
        [(" resp", QUIET), (response, TEXT)],
        [(response, TEXT)],
    )  # fmt: skip
    return first_fitting(variants, width)


def title(lane_info: LaneInfo, lane: LaneView, width: int) -> Line:
    """Return the lane's name and state, and between them its badges in order of importance."""
    mark: list[Span] = [(f"{lane_style.shape(lane.lane)} ", lane.lane)]
    name = lane_style.name(lane_info)
    state = lane_style.state(lane)
    badges: list[list[list[Span]]] = [lane_style.errors(lane)]
    badges += [
        [[(word, STRONG)]]
        for word, holds in ((OVERLOADED, lane.overloaded), (CLIENT_BOUND, lane.client_bound))
        if holds
    ]
    badge_spans: list[Span] = []
    free = width - cells([*mark, state]) - 2
    for variants in badges:
        # The mark for errors may take most of the name's cells, their number only half of them.
        enough, least = min(8, len(name)), min(3, len(name))
        found = first_fitting(variants, free - cells(badge_spans) - enough) or first_fitting(
            variants[-1:], free - cells(badge_spans) - least
        )
        if found:
            badge_spans += [*found, (" ", TEXT)]
    available = width - cells([*mark, *badge_spans, state]) - 1
    left = [*mark, (clip(name, available), lane_style.text_style(lane.lane))]
    return justify(left, [*badge_spans, state], width)


def rates(lane: LaneView, width: int) -> Line:
    """Return the rates of both roles in seventeen cells, so that every lane is visible in one row each."""
    read = lane_style.text_style(lane.lane)
    line: list[Span] = [
        (lane_style.shape(lane.lane), lane.lane),
        (" w ", QUIET),
        (f"{lane_style.done(lane, lane.write.rows_per_s, short):>5}", read),
        (" r ", QUIET),
        (f"{lane_style.done(lane, lane.read.rows_per_s, short):>5}", read),
    ]
    wrong: list[list[Span]] = lane_style.errors(lane)
    if lane.state in PROBLEM_STATES:
        wrong = [[(lane.state.value, BAD)], *wrong, [("✗", BAD)]]
    return justify(line, first_fitting(wrong, width - cells(line) - 1), width)


def single_row_line(lane_info: LaneInfo, lane: LaneView, width: int) -> Line:
    """Return a lane in one row: name, state, rate and position of both roles; factors and p99 where they fit."""
    read = lane_style.text_style(lane.lane)
    mark: Span = (f"{lane_style.shape(lane.lane)} ", lane.lane)
    name = clip(lane_style.name(lane_info), NAME_CELLS - 3)
    line: list[Span] = list(fit([mark, (name, read)], NAME_CELLS))
    line += fit([lane_style.state(lane)], STATE_CELLS)
    # The columns depend on the width alone, so that they are the same for every lane.
    with_gaps, with_p99 = width >= 74, width >= 104
    for role, letter in (("write", " w "), ("read", " r ")):
        numbers: RoleView = getattr(lane, role)
        line += [
            (letter, QUIET),
            (f"{lane_style.done(lane, numbers.rows_per_s, short):>5}", read),
        ]
        rank_info = lane.ranks.get(role)
        rank = (
            "" if rank_info is None or rank_info.position is None else ordinal(rank_info.position)
        )
        line.append(
            (f" {lane_style.rank_text(rank_info):<10}" if with_gaps else f" {rank:<3}", TEXT)
        )
        if with_p99:
            line += [(" p99 ", QUIET), (f"{latency(numbers.ranking_p99_us):>8}", TEXT)]
    end: list[Span] = []
    badges = [lane_style.errors(lane)]
    if lane.paced:
        badges.append([[(f"backlog {short(lane.write.backlog + lane.read.backlog)}", STRONG)]])
    badges += [[[(OVERLOADED, STRONG)]]] if lane.overloaded else []
    badges.append([[(word, STRONG)] for word in client_bound(lane)])
    for variants in badges:
        if found := first_fitting(variants, width - cells(line) - cells(end) - 1):
            end += [(" ", TEXT), *found]
    return justify(line, end, width)


class MinimalLanes(Panel):
    """As much of each lane as fits: the compact lane, a title and both roles, the roles, or the rates."""

    DEFAULT_CSS = "MinimalLanes { height: 1fr; display: none; }"

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return the lines of all lanes; nothing before the first view."""
        if screen_state.view is None:
            return []
        lanes, (width, height) = screen_state.view.lanes, size
        rows = height // max(1, len(lanes))
        lines: list[Line] = []
        if rows >= TITLED_ROWS:
            each = COMPACT_ROWS if width > FIGURES_CELLS and rows >= COMPACT_ROWS else TITLED_ROWS
            spacers = height >= (each + 1) * len(lanes) - 1
            for number, lane in enumerate(lanes, 1):
                if spacers and lines:
                    lines.append(BLANK)
                if width > FIGURES_CELLS:
                    made = compact_lines(screen_state, lane, number, Size(width - 1, each))
                    lines += [((" ", TEXT), *line) for line in made]
                    continue
                inner = width - 2 if width >= MARGIN_CELLS else width
                for line in (
                    title(screen_state.lane_info(lane.lane), lane, inner),
                    role_line(lane, "write", inner, alone=False),
                    role_line(lane, "read", inner, alone=False),
                ):
                    lines.append(((" ", TEXT), *line) if width >= MARGIN_CELLS else line)
        elif width >= SINGLE_ROW_CELLS:
            lines = [
                single_row_line(screen_state.lane_info(lane.lane), lane, width) for lane in lanes
            ]
        elif rows >= ROLE_ROWS:
            lines = [role_line(lane, role, width, alone=True) for lane in lanes for role in ROLES]
        else:
            lines = [rates(lane, width) for lane in lanes]
        return lines
