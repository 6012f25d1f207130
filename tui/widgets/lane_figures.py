"""A lane's numbers in large digits: rows per second, percentiles, hits and misses."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui import lanelook
from tui.bigdigits import rows_of
from tui.cachewords import counts, errors, fills_line, ratio_line
from tui.figures import count, latency, short
from tui.ink import BADGE, BLANK, QUIET, STRONG, TEXT, Line, Span, fitted, spread
from tui.ink import width as cells
from tui.view import LaneView, RoleView, Scene
from tui.widgets.lane_head import CLIENT_BOUND, ROOMY
from tui.widgets.lane_panel import LanePanel

ROWS = 15
"""With air between the groups; three fewer without."""

TOGETHER = 64
"""The widest that a figure and its percentiles stand apart."""

BESIDE = 13
"""The cells of the percentiles."""

ROOM = "000,000"
"""The widest figure that keeps its place."""


def role_rows(scene: Scene, lane: LaneView, role: str, width: int) -> list[Line]:
    """Four rows for the writers or the readers: a heading with the rank, and three of digits with percentiles."""
    numbers: RoleView = getattr(lane, role)
    heading = spread(
        [({"write": "writes", "read": "reads"}[role], TEXT), (" rows/s", QUIET)],
        lanelook.place(lane.places.get(role), lane.lane),
        width,
    )
    beside: list[list[Span]] = [
        [],
        [("p50 ", QUIET), (latency(numbers.p50_us).rjust(8), TEXT)],
        [("p99 ", QUIET), (latency(numbers.p99_us).rjust(8), STRONG)],
    ]
    room = len(rows_of(ROOM, 0, 1)[0])
    figure = count(numbers.rows_per_s)
    if len(figure) > len(ROOM) or width < room + BESIDE:
        # A cut figure would be a wrong one.
        room, figure = min(room, width - BESIDE), short(numbers.rows_per_s)
    if scene.glyphs == "ascii":
        return [heading, *_plain_figure(figure, beside, lane.lane, width)]
    # Padded to a fixed width, or the digits would wander with every power of ten.
    big = [row.rjust(room) for row in rows_of(figure, 0, 1)]
    lines = [
        spread(fitted([(row, lane.lane)], max(0, width - BESIDE)), side, width)
        for row, side in zip(big, beside, strict=True)
    ]
    return [heading, *lines]


def _plain_figure(figure: str, beside: list[list[Span]], ink: str, width: int) -> list[Line]:
    rows: list[list[Span]] = [[], [(f"  {figure:>9}", ink)], []]
    return [spread(row, side, width) for row, side in zip(rows, beside, strict=True)]


class LaneFigures(LanePanel):
    """Fifteen rows: writes, reads, how reads were answered, and errors."""

    DEFAULT_CSS = "LaneFigures { height: 15; }"

    def draw_lane(self, scene: Scene, lane: LaneView, size: Size) -> Sequence[Line]:
        # A lane alone on a wide screen keeps its figures together.
        width = min(size.width, TOGETHER)
        # Air goes first where rows are few.
        air = [BLANK] if size.height >= ROWS else []
        badge: list[Span] = []
        if lane.client_bound and width < ROOMY:
            badge.append((CLIENT_BOUND, BADGE))
        return [
            *air,
            *role_rows(scene, lane, "write", width),
            *air,
            *role_rows(scene, lane, "read", width),
            *air,
            tuple(counts(lane)),
            ratio_line(lane, width, scene.glyphs),
            fills_line(lane),
            spread(errors(lane, width - cells(badge)), badge, width),
        ]
