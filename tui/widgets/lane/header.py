"""Show what a lane is and its state: name, approach, servers and badges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.geometry import Size

from engines.model.lanes import LaneInfo
from tui.draw import lane_style
from tui.draw.client_bound_text import CLIENT_BOUND, badge, bound_by, client_bound
from tui.draw.format import clip, sanitize
from tui.draw.open_loop_text import OVERLOADED
from tui.draw.styled import QUIET, TEXT, Line, Span, first_fitting, justify
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.view.view import LaneView
from tui.widgets.base.lane_panel import LanePanel

WIDE_TITLE_CELLS = 48
"""Below this width in cells the name needs the space of the badges, which then are shown beside hits and errors."""

RULE_END_CELLS = 7
"""Width in cells of the rule at both ends of a title, with the blanks beside it."""

MIN_NAME_CELLS = 14
"""Number of cells of a name that are kept before errors are shown beside it."""


@dataclass(frozen=True, slots=True)
class Badges:
    """The badges of a lane: spans for its `title`; variants from long to short of those that are shown below it."""

    title: list[Span]
    overloaded: list[list[Span]]
    client_bound: list[list[Span]]


def badges(lane_info: LaneInfo, lane: LaneView, width: int, subtitle: str = "") -> Badges:
    """Return the badges that fit into a title of `width` cells; the others are returned as variants to be shown below.

    Long reasons are only used in the title if they leave space for `subtitle` beside the name.
    """
    name = f"0 {lane_style.shape(lane.lane)} {lane_style.name(lane_info)}"
    available = (
        width - cell_len(name) - len(lane_style.state(lane)[0]) - 1
        if width >= WIDE_TITLE_CELLS
        else 0
    )
    title: list[Span] = []
    below: list[list[list[Span]]] = []
    for texts in ([OVERLOADED] if lane.overloaded else [], client_bound(lane)):
        variants = [badge(text) for text in texts]
        free = available - 1 - (cell_len(subtitle) + 4 if subtitle else 0)
        # A short reason may replace the rule's ends, a longer one may not.
        spans = (
            first_fitting(variants[:-1], free - RULE_END_CELLS)
            or first_fitting(variants[-2:-1], free)
            or first_fitting(variants[-1:], available - 1)
        )
        if spans:
            title += [*spans, (" ", TEXT)]
            available -= cells(spans) + 1
            # The reason may fit below, even if it does not fit beside the name.
            left = bound_by(lane) if spans == badge(CLIENT_BOUND) else []
            below.append(left)
        else:
            below.append(variants)
    return Badges(title, *below)


def title_line(
    lane_info: LaneInfo,
    lane: LaneView,
    number: int,
    width: int,
    subtitle: str = "",
    *,
    errors: Sequence[Sequence[Span]] = (),
) -> Line:
    """Return a rule in the lane's colour with its name at the left and its state at the right.

    `subtitle` is added beside the name if it fits. The longest variant of `errors` that leaves space for the name is
    shown before the state.
    """
    style, read = lane.lane, lane_style.text_style(lane.lane)
    mark, name = (
        f"{number} {lane_style.shape(style)} ",
        lane_style.name(lane_info),
    )
    right: list[Span] = [*badges(lane_info, lane, width, subtitle).title, lane_style.state(lane)]
    available = width - cells(right) - cell_len(mark) - min(cell_len(name), MIN_NAME_CELLS) - 3
    if error_spans := first_fitting(errors, available):
        right = [*error_spans, (" ", TEXT), *right]
    left: list[Span] = [(mark, style), (name, read)]
    if cells(left) + cells(right) + RULE_END_CELLS <= width:
        left.insert(0, ("━━ ", style))
        right.append((" ━", style))
    available = width - cells(right) - 1
    left[-1] = (clip(name, available - cells(left[:-1])), read)
    if cells(left) < available:
        left.append((" ", read))
    more = clip(subtitle, available - cells(left) - 4) if subtitle else ""
    if cell_len(more) > 12:
        left.append((f" {more} ", QUIET))
    rule = "━" * (available - cells(left))
    return justify([*left, (rule, style), (" ", style)], right, width)


class LaneHeader(LanePanel):
    """Four rows: title, approach, servers, durability."""

    DEFAULT_CSS = "LaneHeader { height: 4; }"

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        """Return the four rows."""
        width = size.width
        lane_info = screen_state.lane_info(lane.lane)
        return [
            title_line(lane_info, lane, self.number, width),
            ((clip(sanitize(lane_info.approach), width), TEXT),),
            ((clip(lane_style.servers(lane_info), width), QUIET),),
            ((clip(sanitize(lane_info.durability), width), QUIET),),
        ]
