"""Who a lane is and how it is: its name, approach, servers and state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.geometry import Size

from tui.draw import lane_style as lanelook
from tui.draw.client_bound_text import CLIENT_BOUND, badge, bound_by, client_bound
from tui.draw.format import clip, sanitize
from tui.draw.open_loop_text import OVERLOADED
from tui.draw.styled import QUIET, TEXT, Line, Span, first_fitting, justify
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.view.view import LaneView
from tui.widgets.base.lane_panel import LanePanel

ROOMY = 48
"""In less the name needs the cells of the badges, which then stand beside hits and errors."""

RULE_ENDS = 7
"""Of the rule at both ends of a title, with the blanks beside it."""

SHORT_NAME = 14
"""So much of a name is kept before errors are told beside it."""


@dataclass(frozen=True, slots=True)
class Badges:
    """What must be said of a lane besides its state: in its `title`, and below it, for which there are variants from
    the longest to the shortest."""

    title: list[Span]
    overloaded: list[list[Span]]
    client_bound: list[list[Span]]


def badges(screen_state: ScreenState, lane: LaneView, width: int, beside: str = "") -> Badges:
    """As much as fits into a title of this width, where reasons leave room for what stands `beside` the name; what does
    not fit stands below."""
    name = f"0 {lanelook.shape(lane.lane)} {lanelook.name(screen_state.lane_info(lane.lane))}"
    room = width - cell_len(name) - len(lanelook.state(lane)[0]) - 1 if width >= ROOMY else 0
    title: list[Span] = []
    below: list[list[list[Span]]] = []
    for words in ([OVERLOADED] if lane.overloaded else [], client_bound(lane)):
        variants = [badge(word) for word in words]
        free = room - 1 - (cell_len(beside) + 4 if beside else 0)
        # A longer reason is not worth the rule's ends, a short one is.
        said = (
            first_fitting(variants[:-1], free - RULE_ENDS)
            or first_fitting(variants[-2:-1], free)
            or first_fitting(variants[-1:], room - 1)
        )
        if said:
            title += [*said, (" ", TEXT)]
            room -= cells(said) + 1
            # What limits it may have room below, though it has none beside the name.
            left = bound_by(lane) if said == badge(CLIENT_BOUND) else []
            below.append(left)
        else:
            below.append(variants)
    return Badges(title, *below)


def title_line(
    screen_state: ScreenState,
    lane: LaneView,
    number: int,
    width: int,
    beside: str = "",
    *,
    errors: Sequence[Sequence[Span]] = (),
) -> Line:
    """A rule in the lane's colour with its name (and what stands `beside` it, where there is room) at the left, and at
    the right its state, after the longest variant of `errors` that leaves the name room."""
    style, read = lane.lane, lanelook.text_style(lane.lane)
    mark, name = f"{number} {lanelook.shape(style)} ", lanelook.name(screen_state.lane_info(style))
    right: list[Span] = [*badges(screen_state, lane, width, beside).title, lanelook.state(lane)]
    room = width - cells(right) - cell_len(mark) - min(cell_len(name), SHORT_NAME) - 3
    if said := first_fitting(errors, room):
        right = [*said, (" ", TEXT), *right]
    left: list[Span] = [(mark, style), (name, read)]
    if cells(left) + cells(right) + RULE_ENDS <= width:
        left.insert(0, ("━━ ", style))
        right.append((" ━", style))
    room = width - cells(right) - 1
    left[-1] = (clip(name, room - cells(left[:-1])), read)
    if cells(left) < room:
        left.append((" ", read))
    more = clip(beside, room - cells(left) - 4) if beside else ""
    if cell_len(more) > 12:
        left.append((f" {more} ", QUIET))
    rule = "━" * (room - cells(left))
    return justify([*left, (rule, style), (" ", style)], right, width)


class LaneHeader(LanePanel):
    """Four rows: title, approach, servers, durability."""

    DEFAULT_CSS = "LaneHeader { height: 4; }"

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        width = size.width
        lane_info = screen_state.lane_info(lane.lane)
        return [
            title_line(screen_state, lane, self.number, width),
            ((clip(sanitize(lane_info.approach), width), TEXT),),
            ((clip(lanelook.servers(lane_info), width), QUIET),),
            ((clip(sanitize(lane_info.durability), width), QUIET),),
        ]
