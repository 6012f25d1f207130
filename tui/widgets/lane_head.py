"""Who a lane is and how it is: its name, approach, servers and state."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.geometry import Size

from tui import lanelook
from tui.figures import clipped, plain
from tui.ink import BADGE, QUIET, TEXT, Line, Span, first_fitting, spread
from tui.ink import width as cells
from tui.loopwords import OVERLOADED
from tui.view import LaneView, Scene
from tui.widgets.lane_panel import LanePanel

CLIENT_BOUND = " client-bound "
"""Beside a lane that telemon itself may be limiting."""

ROOMY = 48
"""In less the name needs the cells of the badges, which then stand beside hits and errors."""


SHORT_NAME = 14
"""So much of a name is kept before errors are told beside it."""


def badges(scene: Scene, lane: LaneView, width: int) -> tuple[list[str], list[str]]:
    """What must be said beside the lane's name: as much as fits into its title, and what stands below."""
    name = f"0 {lanelook.shape(lane.lane)} {lanelook.name(scene.entrant(lane.lane))}"
    used = cell_len(name) + len(lanelook.state(lane)[0]) + 1
    title: list[str] = []
    below: list[str] = []
    for word, holds in ((OVERLOADED, lane.overloaded), (CLIENT_BOUND, lane.client_bound)):
        if not holds:
            continue
        if width >= ROOMY and used + len(word) + 1 <= width:
            title.append(word)
            used += len(word) + 1
        else:
            below.append(word)
    return title, below


def title_line(
    scene: Scene,
    lane: LaneView,
    number: int,
    width: int,
    beside: str = "",
    *,
    errors: Sequence[Sequence[Span]] = (),
) -> Line:
    """A rule in the lane's colour with its name (and what stands `beside` it, where there is room) at the left, and at
    the right its state, after the longest variant of `errors` that leaves the name room."""
    ink, read = lane.lane, lanelook.words(lane.lane)
    mark, name = f"{number} {lanelook.shape(ink)} ", lanelook.name(scene.entrant(ink))
    right: list[Span] = []
    for word in badges(scene, lane, width)[0]:
        right += [(word, BADGE), (" ", TEXT)]
    right.append(lanelook.state(lane))
    room = width - cells(right) - cell_len(mark) - min(cell_len(name), SHORT_NAME) - 3
    if said := first_fitting(errors, room):
        right = [*said, (" ", TEXT), *right]
    left: list[Span] = [(mark, ink), (name, read)]
    if cells(left) + cells(right) + 7 <= width:
        left.insert(0, ("━━ ", ink))
        right.append((" ━", ink))
    room = width - cells(right) - 1
    left[-1] = (clipped(name, room - cells(left[:-1])), read)
    if cells(left) < room:
        left.append((" ", read))
    more = clipped(beside, room - cells(left) - 4) if beside else ""
    if cell_len(more) > 12:
        left.append((f" {more} ", QUIET))
    rule = "━" * (room - cells(left))
    return spread([*left, (rule, ink), (" ", ink)], right, width)


class LaneHead(LanePanel):
    """Four rows: title, approach, servers, durability."""

    DEFAULT_CSS = "LaneHead { height: 4; }"

    def draw_lane(self, scene: Scene, lane: LaneView, size: Size) -> Sequence[Line]:
        width = size.width
        entrant = scene.entrant(lane.lane)
        return [
            title_line(scene, lane, self.number, width),
            ((clipped(plain(entrant.approach), width), TEXT),),
            ((clipped(lanelook.servers(entrant), width), QUIET),),
            ((clipped(plain(entrant.durability), width), QUIET),),
        ]
