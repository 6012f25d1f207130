"""A lane for the last row of a hall: rank on a plate, the gap, the figure, as large as they fit."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.draw import lane_style as lanelook
from tui.draw.big_digits import inverse_block, largest, rows_of
from tui.draw.format import clip, latency, short
from tui.draw.styled import BLANK, STRONG, TEXT, Line, Span, first_fitting, fit, justify
from tui.draw.styled import width as cells
from tui.view.ranking import Rank
from tui.view.state import ScreenState
from tui.view.view import LaneView
from tui.widgets.base.lane_panel import LanePanel
from tui.widgets.lane.header import badges, title_line

GAP = "8.8x"
"""The widest gap that keeps its size; a wider one is written smaller."""

FIGURE = "8.88 ms"
"""As wide as a figure becomes."""

FIGURE_ROWS = 3
"""A figure in small digits."""

PLATE_ROWS = 7
"""A plate that is seen from afar; where it leaves room, the figure is enlarged too."""

METRICS = (("write", "writes", "rows/s"), ("read", "reads", "rows/s"), ("p99", "read p99", ""))


def figure(lane: LaneView, metric: str) -> str:
    """The metric's value as it stands under the plate."""
    if metric == "p99":
        return latency(lane.read.ranking_p99_us)
    return lanelook.done(lane, lane.role(metric).window_rows_per_s, short)


def words(place: Rank | None, metric: str) -> str:
    """What the gap means."""
    told = lanelook.gap_text(place)
    if place is None or told in ("", "level"):
        return told
    if place.rank == 1:
        return "ahead"
    return "slower" if metric == "p99" else "behind"


def heading(title: str, unit: str, right: list[Span], width: int) -> Line:
    """What a block shows, and at the right what the gap means; the unit goes before either is cut."""
    name: list[Span] = [(title.upper(), STRONG)]
    variants = ([*name, (f" {unit}" if unit else "", TEXT)], name)
    left = first_fitting(variants, width - cells(right) - 1)
    return justify(left, right if left else [], width) if left else fit(name, width)


def block(
    lane: LaneView, metric: tuple[str, str, str], width: int, height: int, *, ascii_only: bool
) -> list[Line]:
    """One metric in `height` rows: what it is, plate and gap, figure."""
    key, title, unit = metric
    if key == "p99" and lane.paced:
        title = "read response p99"
    place = lane.places.get(key)
    value = figure(lane, key)
    if ascii_only:
        return _in_ascii(lane, place, (key, title, unit), value, Size(width, height))
    top = heading(title, unit, [(words(place, key), STRONG)], width)
    if place is None or place.rank is None:
        return [top, *_unranked(lane, value, width, height - 1)]
    rank = str(place.rank)
    gap = _large_gap(place)
    figures = _figure_rows(value, width, height)
    room = height - 1 - len(figures)
    number = inverse_block(rank, width // 2, room)
    if not number:
        beside = fit(
            [(f"{rank}  {lanelook.gap_text(place)}", lanelook.text_style(lane.lane))], width
        )
        return [top, beside, *(((row, STRONG),) for row in figures)][:height]
    air = [BLANK] if height > 1 + len(number) + len(figures) else []
    free = width - len(number[0]) - 2
    size = largest(gap if len(gap) > len(GAP) else GAP, free, len(number)) if gap else None
    large = rows_of(gap, *size) if size else ()
    above = (len(number) - len(large)) // 2
    lines: list[Line] = [top]
    for y, row in enumerate(number):
        inner = large[y - above] if 0 <= y - above < len(large) else ""
        if not large and y == len(number) // 2:
            inner = gap
        lines.append(fit([(row + "  " + inner, lane.lane)], width))
    return [*lines, *air, *(((row, STRONG),) for row in figures)][:height]


def _unranked(lane: LaneView, value: str, width: int, height: int) -> list[Line]:
    """The figure alone, as large as it fits: a plate with nothing on it would look like a verdict."""
    size = largest(FIGURE if " " in value else "88.8k", width, height)
    rows = rows_of(value, *size) if size else ()
    style = lanelook.text_style(lane.lane)
    return [((row, style),) for row in rows] or [((value, STRONG),)]


def _large_gap(place: Rank | None) -> str:
    """The gap in what the large letters have: "6.8x", "3%", "=" for level; nothing without a rival."""
    told = lanelook.gap_text(place).lstrip("+").replace(" ", "")
    return "=" if told == "level" else told


def _in_ascii(
    lane: LaneView, place: Rank | None, metric: tuple[str, str, str], value: str, size: Size
) -> list[Line]:
    """Letters made of letters cannot be cut out of a plate: the figure is large, its rank and gap are words."""
    key, title, unit = metric
    stands = lanelook.rank_of(place, STRONG, worse="slower" if key == "p99" else "behind")
    briefly: list[Span] = [(lanelook.rank_text(place), STRONG)]
    told = first_fitting((stands, briefly, briefly[:0]), size.width - len(title) - 1)
    top = heading(title, unit, told, size.width)
    widest = FIGURE if " " in value else "88.8k"
    fits = largest(widest, size.width, size.height - 1, ascii_only=True)
    if fits is None:
        return [top, ((value, STRONG),)]
    rows = rows_of(value, *fits, ascii_only=True)
    return [top, *(((row, lanelook.text_style(lane.lane)),) for row in rows)]


def _figure_rows(value: str, width: int, height: int) -> tuple[str, ...]:
    """The figure in small digits where there are rows to spare, else as text."""
    if height >= 1 + PLATE_ROWS + FIGURE_ROWS:
        large = rows_of(value, 0, 1)
        if large and len(large[0]) <= width:
            return large
    return (value,)


def _beside(screen_state: ScreenState, lane: LaneView, width: int) -> Line:
    """What must be said of the lane besides its figures: errors, badges, the open loop's service time and backlog."""
    said: list[Span] = []
    found = badges(screen_state, lane, width)
    below = [
        [[(text.strip(), STRONG)] for [(text, _)] in variants]
        for variants in (found.overloaded, found.client_bound)
        if variants
    ]
    room = width - sum(cells(variants[-1]) + 1 for variants in below)
    said += first_fitting(lanelook.errors(lane), room)
    for variants in below:
        apart: list[Span] = [(" ", TEXT)] if said else []
        if words := first_fitting(variants, width - cells(said) - cells(apart)):
            said += [*apart, *words]
    if not lane.paced:
        return tuple(said)
    behind = f"backlog w {short(lane.write.backlog)} r {short(lane.read.backlog)}"
    service = f"read service p99 {latency(lane.read.p99_us)}  "
    in_all = f"backlog {short(lane.write.backlog + lane.read.backlog)}"
    texts = (service + behind, behind, in_all)
    room = width - (cells(said) + 1 if said else 0)
    return justify(first_fitting(([(text, TEXT)] for text in texts), room), said, width)


def _p99_line(lane: LaneView, width: int) -> Line:
    """The p99 of reads in one row, where it has no block of its own."""
    place = lane.places.get("p99")
    figures: list[Span] = [(latency(lane.read.ranking_p99_us), lanelook.text_style(lane.lane))]
    names = ("RESPONSE P99 ", "RESP P99 ", "RESP ") if lane.paced else ("READ P99 ", "P99 ")
    told = lanelook.rank_text(place)
    for stands in (told, told.partition(" ")[0], ""):
        room = width - (len(stands) + 1 if stands else 0)
        if left := first_fitting(([(name, STRONG), *figures] for name in names), room):
            return justify(left, [(stands, STRONG)], width)
    return tuple(first_fitting((figures,), width))


class StageLane(LanePanel):
    """Title, servers, and a block for each of writes, reads and read p99."""

    DEFAULT_CSS = "StageLane { height: 1fr; display: none; }"

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        width, height = size
        ascii_only = screen_state.glyphs == "ascii"
        lane_info = screen_state.lane_info(lane.lane)
        lines: list[Line] = [
            title_line(screen_state, lane, self.number, width),
            ((clip(lanelook.servers(lane_info), width), TEXT),),
            _beside(screen_state, lane, width),
        ]
        left = height - len(lines)
        shown = METRICS if left >= 21 else METRICS[:2]
        last = [] if len(shown) == len(METRICS) else [_p99_line(lane, width)]
        # Between two blocks there is a row of air, and none after the last.
        each = max(2, (left - len(last) + (0 if last else 1)) // len(shown) - 1)
        for metric in shown:
            made = block(lane, metric, width, each, ascii_only=ascii_only)
            lines += [*made, *[BLANK] * (each + 1 - len(made))]
        return [*lines, *last][:height]
