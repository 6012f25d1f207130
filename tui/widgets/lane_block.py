"""A lane in four rows, for a terminal of 60 to 99 columns."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui import lanelook
from tui.cachewords import counts
from tui.figures import count, gap, latency, ordinal, plain
from tui.ink import BAD, QUIET, STRONG, TEXT, Line, Span, spread
from tui.ink import width as cells
from tui.raster import trend
from tui.view import LaneView, RoleView, Scene
from tui.widgets.lane_chart import newest, paired
from tui.widgets.lane_head import title_line
from tui.widgets.lane_panel import LanePanel


def role_line(scene: Scene, lane: LaneView, role: str, width: int) -> Line:
    """Rate, percentiles, rank and gap, and as much of the past as there is room for."""
    numbers: RoleView = getattr(lane, role)
    place = lane.places.get(role)
    rank = ""
    if place is not None and place.rank is not None:
        sign = "+" if place.rank == 1 else " "
        rank = f"{ordinal(place.rank)} {sign}{gap(place.gap)}"
    spans: list[Span] = [
        ({"write": "writes", "read": "reads "}[role], TEXT),
        (f"{count(numbers.rows_per_s):>9}/s", lane.lane),
        (f"  p50 {latency(numbers.p50_us):>8}  p99 ", QUIET),
        (f"{latency(numbers.p99_us):>8}", STRONG),
        (f"  {rank:<10}", TEXT),
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


def _beside(scene: Scene, lane: LaneView) -> str:
    """The servers and their durability: there is no other row for them."""
    entrant = scene.entrant(lane.lane)
    return f"{lanelook.servers(entrant)}, {plain(entrant.durability)}"


class LaneBlock(LanePanel):
    """Title, writes, reads, cache and errors; in three rows without the cache."""

    DEFAULT_CSS = "LaneBlock { height: 4; }"

    def draw_lane(self, scene: Scene, lane: LaneView, size: Size) -> Sequence[Line]:
        failed = lane.write.failed + lane.read.failed
        end: list[Span] = [(f"✗ {count(failed)} errors", BAD)] if failed else []
        cache: list[Span] = [("cache  ", TEXT), *counts(lane, brief=True)]
        return [
            title_line(scene, lane, self.number, size.width, _beside(scene, lane)),
            role_line(scene, lane, "write", size.width),
            role_line(scene, lane, "read", size.width),
            spread(cache, end, size.width),
        ]
