"""A lane in four rows, for a terminal of 60 to 99 columns."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui import lanelook
from tui.cachewords import counts
from tui.figures import count, gap, latency, ordinal, plain, short
from tui.ink import BAD, QUIET, STRONG, TEXT, Line, Span, spread
from tui.ink import width as cells
from tui.loopwords import floors, late
from tui.raster import trend
from tui.view import LaneView, RoleView, Scene
from tui.widgets.lane_chart import newest, paired
from tui.widgets.lane_head import title_line
from tui.widgets.lane_panel import LanePanel

FIGURES = 57
"""The cells of a closed loop's figures."""


def trend_cells(width: int) -> int:
    """How much room so wide a block has for the past."""
    return max(0, width - FIGURES)


def role_line(scene: Scene, lane: LaneView, role: str, width: int) -> Line:
    """Rate, percentiles, rank and gap, and as much of the past as there is room for."""
    numbers: RoleView = getattr(lane, role)
    title = {"write": "writes", "read": "reads "}[role]
    rate: list[Span] = [
        (title, TEXT),
        (f"{lanelook.rate(lane, numbers.rows_per_s, count):>9}/s", lane.lane),
    ]
    if lane.paced:
        return _open_loop(lane, role, rate, width)
    spans: list[Span] = [
        *rate,
        (f"  p50 {latency(numbers.p50_us):>8}  p99 ", QUIET),
        (f"{latency(numbers.p99_us):>8}", STRONG),
        (f"  {_rank(lane, role):<10}", TEXT),
    ]
    room = width - cells(spans)
    view = scene.view
    if room >= 8 and view is not None:
        axis = view.axis if scene.shared_axis else lane.axis
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
        spans.append((trend(values, scene.glyphs), lane.lane))
    return tuple(spans)


def _rank(lane: LaneView, role: str, *, brief: bool = False) -> str:
    place = lane.places.get(role)
    if place is None or place.rank is None:
        return ""
    sign = "+" if place.rank == 1 else " "
    return ordinal(place.rank) if brief else f"{ordinal(place.rank)} {sign}{gap(place.gap)}"


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
    for rank in (_rank(lane, role), _rank(lane, role, brief=True)):
        if rank and cells(spans) + 2 + len(rank) <= width:
            return (*spans, (f"  {rank}", TEXT))
    return tuple(spans)


def _beside(scene: Scene, lane: LaneView) -> str:
    """The servers and their durability: there is no other row for them."""
    entrant = scene.entrant(lane.lane)
    return f"{lanelook.servers(entrant)}, {plain(entrant.durability)}"


class LaneBlock(LanePanel):
    """Title, writes, reads, cache and errors; in three rows without the cache."""

    DEFAULT_CSS = "LaneBlock { height: 4; }"

    def draw_lane(self, scene: Scene, lane: LaneView, size: Size) -> Sequence[Line]:
        failed = lane.write.failed + lane.read.failed
        cache: list[Span] = [("cache  ", TEXT), *counts(lane, brief=True)]
        end: list[Span] = [(f"  ✗ {count(failed)} errors", BAD)] if failed else []
        behind = late(lane, brief=True)
        room = size.width - cells(cache) - cells(end)
        if cells(behind) <= room:
            end = [*behind, *end]
            room -= cells(behind)
        end = [*floors(scene.entrant(lane.lane), room), *end]
        return [
            title_line(scene, lane, self.number, size.width, _beside(scene, lane)),
            role_line(scene, lane, "write", size.width),
            role_line(scene, lane, "read", size.width),
            spread(cache, end, size.width),
        ]
