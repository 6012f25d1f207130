"""A lane for the last row of a hall: rank on a plate, the gap, the figure, as large as they fit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.geometry import Size

from tui import lanelook
from tui.bigdigits import largest, plate, rows_of
from tui.figures import clipped, latency, ordinal, short
from tui.figures import gap as factor
from tui.ink import BLANK, QUIET, STRONG, TEXT, Line, Span, fitted, spread
from tui.ink import width as cells
from tui.standings import Place
from tui.view import LaneView, Scene
from tui.widgets.lane_head import badges, title_line
from tui.widgets.lane_panel import LanePanel

GAP = "88.8x"
"""The widest gap that keeps its place; a wider one is written smaller."""

ROOMY_ROWS = 11
"""A block of so many rows has room for a plate of 7 rows and a figure of 3."""

METRICS = (("write", "writes", "rows/s"), ("read", "reads", "rows/s"), ("p99", "read p99", ""))


def figure(lane: LaneView, metric: str) -> str:
    """The metric's value as it stands under the plate."""
    if metric == "p99":
        return latency(lane.read.felt_p99_us)
    role = lane.write if metric == "write" else lane.read
    return lanelook.rate(lane, role.window_rows_per_s, short)


def words(place: Place | None, metric: str) -> str:
    """What the gap means."""
    if place is None or place.rank is None or place.gap is None:
        return ""
    if place.gap < 1.005:
        return "level"
    if place.rank == 1:
        return "ahead"
    return "slower" if metric == "p99" else "behind"


def block(
    lane: LaneView, metric: tuple[str, str, str], width: int, height: int, *, ascii_only: bool
) -> list[Line]:
    """One metric in `height` rows: what it is, plate and gap, figure."""
    key, title, unit = metric
    if key == "p99" and lane.paced:
        title = "read response p99"
    place = lane.places.get(key)
    value = figure(lane, key)
    heading = spread(
        [(title.upper(), STRONG), (f" {unit}", TEXT)], [(words(place, key), STRONG)], width
    )
    if ascii_only:
        # Letters made of letters cannot be cut out of a plate: the figure is large, its rank and gap are words.
        size = largest(
            "8.88k" if " " not in value else "8.88 ms", width, height - 1, ascii_only=True
        )
        stands = lanelook.place(place, STRONG, worse=words(place, key) or "behind")
        heading = spread([(title.upper(), STRONG), (f" {unit}", TEXT)], stands, width)
        if size is None:
            return [heading, ((value, STRONG),)]
        return [heading, *(((row, lane.lane),) for row in rows_of(value, *size, ascii_only=True))]
    rank = "-" if place is None or place.rank is None else str(place.rank)
    gap = "-" if place is None or place.gap is None else factor(place.gap)
    figures = _figure_rows(value, width, height, ascii_only=ascii_only)
    room = height - 1 - len(figures)
    lines: list[Line] = [heading]
    number = plate(rank, width // 2, room, ascii_only=ascii_only)
    if number:
        beside = width - len(number[0]) - 2
        size = largest(
            gap if len(gap) > len(GAP) else "8.8x", beside, len(number), ascii_only=ascii_only
        )
        if size is not None and len(rows_of(gap, *size, ascii_only=ascii_only)[0]) > beside:
            size = largest(gap, beside, len(number), ascii_only=ascii_only)
        large = rows_of(gap, *size, ascii_only=ascii_only) if size else ()
        above = (len(number) - len(large)) // 2
        for y, row in enumerate(number):
            inner = large[y - above] if 0 <= y - above < len(large) else ""
            if not large and y == len(number) // 2:
                inner = gap
            lines.append(fitted([(row + "  " + inner, lane.lane)], width))
    else:
        lines.append(fitted([(f"{rank}  {gap}", lane.lane)], width))
    lines += [((row, STRONG),) for row in figures]
    return lines[:height]


def _figure_rows(value: str, width: int, height: int, *, ascii_only: bool) -> tuple[str, ...]:
    """The figure in small digits where there are rows to spare, else as text."""
    if height >= ROOMY_ROWS and not ascii_only:
        large = rows_of(value, 0, 1)
        if large and len(large[0]) <= width:
            return large
    return (value,)


def _beside(scene: Scene, lane: LaneView, width: int) -> Line:
    """What must be said of the lane besides its figures: the open loop's service time and backlog, and badges."""
    said: list[Span] = [(word.strip(), STRONG) for word in badges(scene, lane, width)[1]]
    words: list[Span] = []
    for number, span in enumerate(said):
        words += [(" ", TEXT), span] if number else [span]
    if not lane.paced:
        return tuple(words) or BLANK
    behind = f"backlog w {short(lane.write.backlog)} r {short(lane.read.backlog)}"
    service = f"read service p99 {latency(lane.read.p99_us)}  "
    text = service + behind
    if cell_len(text) + cells(words) + 1 > width:
        text = behind
    return spread([(text, TEXT)], words, width)


class StageLane(LanePanel):
    """Title, servers, and a block for each of writes, reads and read p99."""

    DEFAULT_CSS = "StageLane { height: 1fr; display: none; }"

    def draw_lane(self, scene: Scene, lane: LaneView, size: Size) -> Sequence[Line]:
        width, height = size
        ascii_only = scene.glyphs == "ascii"
        entrant = scene.entrant(lane.lane)
        lines: list[Line] = [
            title_line(scene, lane, self.number, width),
            ((clipped(lanelook.servers(entrant), width), TEXT),),
        ]
        lines.append(_beside(scene, lane, width))
        left = height - len(lines)
        shown = METRICS if left >= 21 else METRICS[:2]
        extra: list[Line] = []
        if len(shown) < len(METRICS):
            place = lane.places.get("p99")
            name = "RESPONSE P99 " if lane.paced else "P99 "
            told: list[Span] = [(name, STRONG), (latency(lane.read.felt_p99_us), lane.lane)]
            stands = ""
            if place is not None and place.rank is not None:
                stands = f"{ordinal(place.rank)} {factor(place.gap)}"
            extra.append(spread(told, [(stands, STRONG)], width))
        each = max(3, (left - len(extra)) // len(shown))
        for metric in shown:
            made = block(lane, metric, width, each - 1, ascii_only=ascii_only)
            lines += [*made, *[BLANK] * (each - len(made))]
        return [*lines, *extra] if height >= 3 else [((figure(lane, "read"), QUIET),)]
