"""Numbers only, for a terminal too small for anything else. It shows something in any size."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui import lanelook
from tui.figures import gap, latency, ordinal, short
from tui.ink import QUIET, STRONG, TEXT, Line, Span, spread
from tui.view import LaneView, Scene
from tui.widgets.panel import Panel


def role_spans(lane: LaneView, role: str) -> tuple[list[Span], list[Span]]:
    """One role's rate and p99, and its rank and gap."""
    numbers = lane.write if role == "write" else lane.read
    left: list[Span] = [
        (" w " if role == "write" else " r ", QUIET),
        (f"{short(numbers.rows_per_s):>5}/s", lane.lane),
        (" p99 ", QUIET),
        (f"{latency(numbers.p99_us):>8}", TEXT),
    ]
    place = lane.places.get(role)
    if place is None or place.rank is None:
        return left, []
    sign = "+" if place.rank == 1 else ""
    return left, [(f" {ordinal(place.rank)} {sign}{gap(place.gap)}", STRONG)]


class Numbers(Panel):
    """Three rows per lane where there is height, else one row per lane and role, else what fits."""

    DEFAULT_CSS = "Numbers { height: 1fr; }"

    def draw(self, scene: Scene, size: Size) -> Sequence[Line]:
        if scene.view is None:
            return []
        lanes = scene.view.lanes
        if size.width >= 60:
            return [self._wide(lane, size.width) for lane in lanes]
        titled = size.height >= 3 * len(lanes)
        lines: list[Line] = []
        for lane in lanes:
            name = f"{lanelook.shape(lane.lane)} {lanelook.name(scene.entrant(lane.lane))}"
            if titled:
                bound: list[Span] = [("client-bound ", STRONG)] if lane.client_bound else []
                lines.append(
                    spread([(name, lane.lane)], [*bound, lanelook.state(lane)], size.width)
                )
            for role in ("write", "read"):
                left, right = role_spans(lane, role)
                mark: list[Span] = [] if titled else [(lanelook.shape(lane.lane), lane.lane)]
                lines.append(spread([*mark, *left], right, size.width))
        return lines

    def _wide(self, lane: LaneView, width: int) -> Line:
        writes, _ = role_spans(lane, "write")
        reads, place = role_spans(lane, "read")
        return spread(
            [(lanelook.shape(lane.lane), lane.lane), *writes, (" ", TEXT), *reads], place, width
        )
