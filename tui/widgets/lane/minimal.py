"""Numbers only, for a terminal too small for anything else. It shows something in any size."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engines.metrics.frame import LaneState
from engines.model.roles import ROLES
from tui.draw import lane_style as lanelook
from tui.draw.client_bound_text import CLIENT_BOUND, client_bound
from tui.draw.format import clip, latency, ordinal, short
from tui.draw.open_loop_text import OVERLOADED
from tui.draw.styled import BAD, BLANK, QUIET, STRONG, TEXT, Line, Span, first_fitting, fit, justify
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.view.view import LaneView, RoleView
from tui.widgets.base.panel import Panel
from tui.widgets.lane.compact import BLOCK_ROWS, FIGURES, compact_lines

TITLED_ROWS = 3
"""A row with the lane's name and one for each role."""

ROLE_ROWS = 2

FLAT = 60
"""From this width on a single row has room for the name and the state."""

AIRY = 40
"""From this width on there is room for a margin."""

NAME, STATE = 16, 12

NOT_WELL = (LaneState.RECONNECTING, LaneState.DOWN)


def role_line(lane: LaneView, role: str, width: int, *, alone: bool) -> Line:
    """One role's rate and p99, and its rank and gap; `alone` without a title above it, where it also has to say which
    lane it is and what is wrong there. What has no room is left out, the rank last."""
    numbers = lane.role(role)
    mark: list[Span] = [(lanelook.shape(lane.lane), lane.lane)] if alone else []
    per_s = lanelook.done(lane, numbers.rows_per_s, short)
    rate: list[Span] = [
        *mark,
        (" w " if role == "write" else " r ", QUIET),
        (f"{per_s:>5}", lanelook.text_style(lane.lane)),
    ]
    unit: list[Span] = [("/s", lanelook.text_style(lane.lane))]
    if lane.paced:
        return (*rate, *unit, *_open_loop(numbers, width - cells(rate) - cells(unit)))
    told = lanelook.rank_text(lane.places.get(role))
    right: list[Span] = [(f" {told}", STRONG)] if told else []
    if alone and role == "read" and lane.state in NOT_WELL:
        right = [(f" {lane.state.value}", BAD)]
    p99: list[Span] = [(" p99 ", QUIET), (f"{latency(numbers.p99_us):>8}", TEXT)]
    room = width - cells(right)
    left = first_fitting(([*rate, *unit, *p99], [*rate, *unit], rate), room) or rate
    if alone and role == "write":
        said = first_fitting(lanelook.errors(lane), room - cells(left) - 1)
        right = [(" ", TEXT), *said, *right]
    return justify(left, right if cells(left) + cells(right) <= width else (), width)


def _open_loop(numbers: RoleView, width: int) -> list[Span]:
    """Response time and backlog: what is left out here would hide that a lane falls behind."""
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


def title(screen_state: ScreenState, lane: LaneView, width: int) -> Line:
    """Name and state, and between them what must be said of the lane, the first of it first."""
    mark: list[Span] = [(f"{lanelook.shape(lane.lane)} ", lane.lane)]
    name = lanelook.name(screen_state.lane_info(lane.lane))
    state = lanelook.state(lane)
    words: list[list[list[Span]]] = [lanelook.errors(lane)]
    words += [
        [[(word, STRONG)]]
        for word, holds in ((OVERLOADED, lane.overloaded), (CLIENT_BOUND, lane.client_bound))
        if holds
    ]
    said: list[Span] = []
    free = width - cells([*mark, state]) - 2
    for variants in words:
        # That something failed is worth most of the name; how often it did is worth half of it.
        enough, least = min(8, len(name)), min(3, len(name))
        found = first_fitting(variants, free - cells(said) - enough) or first_fitting(
            variants[-1:], free - cells(said) - least
        )
        if found:
            said += [*found, (" ", TEXT)]
    room = width - cells([*mark, *said, state]) - 1
    left = [*mark, (clip(name, room), lanelook.text_style(lane.lane))]
    return justify(left, [*said, state], width)


def rates(lane: LaneView, width: int) -> Line:
    """Both roles' rates in seventeen cells: where there is one row for each lane, every lane is seen."""
    read = lanelook.text_style(lane.lane)
    line: list[Span] = [
        (lanelook.shape(lane.lane), lane.lane),
        (" w ", QUIET),
        (f"{lanelook.done(lane, lane.write.rows_per_s, short):>5}", read),
        (" r ", QUIET),
        (f"{lanelook.done(lane, lane.read.rows_per_s, short):>5}", read),
    ]
    wrong: list[list[Span]] = lanelook.errors(lane)
    if lane.state in NOT_WELL:
        wrong = [[(lane.state.value, BAD)], *wrong, [("✗", BAD)]]
    return justify(line, first_fitting(wrong, width - cells(line) - 1), width)


def flat(screen_state: ScreenState, lane: LaneView, width: int) -> Line:
    """A lane in one row: name, state, and for both roles rate and rank; gaps and p99 where there is room."""
    read = lanelook.text_style(lane.lane)
    mark: Span = (f"{lanelook.shape(lane.lane)} ", lane.lane)
    name = clip(lanelook.name(screen_state.lane_info(lane.lane)), NAME - 3)
    line: list[Span] = list(fit([mark, (name, read)], NAME))
    line += fit([lanelook.state(lane)], STATE)
    # The columns hang on the width alone: they are the same for every lane.
    with_gaps, with_p99 = width >= 74, width >= 104
    for role, letter in (("write", " w "), ("read", " r ")):
        numbers: RoleView = getattr(lane, role)
        line += [
            (letter, QUIET),
            (f"{lanelook.done(lane, numbers.rows_per_s, short):>5}", read),
        ]
        place = lane.places.get(role)
        rank = "" if place is None or place.rank is None else ordinal(place.rank)
        line.append((f" {lanelook.rank_text(place):<10}" if with_gaps else f" {rank:<3}", TEXT))
        if with_p99:
            line += [(" p99 ", QUIET), (f"{latency(numbers.ranking_p99_us):>8}", TEXT)]
    end: list[Span] = []
    words = [lanelook.errors(lane)]
    if lane.paced:
        words.append([[(f"backlog {short(lane.write.backlog + lane.read.backlog)}", STRONG)]])
    words += [[[(OVERLOADED, STRONG)]]] if lane.overloaded else []
    words.append([[(word, STRONG)] for word in client_bound(lane)])
    for variants in words:
        if found := first_fitting(variants, width - cells(line) - cells(end) - 1):
            end += [(" ", TEXT), *found]
    return justify(line, end, width)


class MinimalLanes(Panel):
    """As much of each lane as there are rows for: its block, name and roles, the roles, or its rates."""

    DEFAULT_CSS = "MinimalLanes { height: 1fr; display: none; }"

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        if screen_state.view is None:
            return []
        lanes, (width, height) = screen_state.view.lanes, size
        rows = height // max(1, len(lanes))
        lines: list[Line] = []
        if rows >= TITLED_ROWS:
            each = BLOCK_ROWS if width > FIGURES and rows >= BLOCK_ROWS else TITLED_ROWS
            air = height >= (each + 1) * len(lanes) - 1
            for number, lane in enumerate(lanes, 1):
                if air and lines:
                    lines.append(BLANK)
                if width > FIGURES:
                    made = compact_lines(screen_state, lane, number, Size(width - 1, each))
                    lines += [((" ", TEXT), *line) for line in made]
                    continue
                inner = width - 2 if width >= AIRY else width
                for line in (
                    title(screen_state, lane, inner),
                    role_line(lane, "write", inner, alone=False),
                    role_line(lane, "read", inner, alone=False),
                ):
                    lines.append(((" ", TEXT), *line) if width >= AIRY else line)
        elif width >= FLAT:
            lines = [flat(screen_state, lane, width) for lane in lanes]
        elif rows >= ROLE_ROWS:
            lines = [role_line(lane, role, width, alone=True) for lane in lanes for role in ROLES]
        else:
            lines = [rates(lane, width) for lane in lanes]
        return lines
