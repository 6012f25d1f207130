"""A lane for a projector: position in an inverse block, factor and figure, as large as they fit."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engines.model.lanes import LaneInfo
from tui.draw import lane_style
from tui.draw.big_digits import inverse_block, largest, rows_of
from tui.draw.format import clip, latency, short
from tui.draw.styled import BLANK, STRONG, TEXT, Line, Span, first_fitting, fit, justify
from tui.draw.styled import width as cells
from tui.view.ranking import Rank
from tui.view.state import ScreenState
from tui.view.view import LaneView
from tui.widgets.base.lane_panel import LanePanel
from tui.widgets.lane.header import badges, title_line

WIDEST_FACTOR = "8.8x"
"""Widest factor that keeps its size; a wider one is drawn smaller."""

WIDEST_FIGURE = "8.88 ms"
"""Widest text of a figure."""

FIGURE_ROWS = 3
"""Rows of a figure in small digits."""

INVERSE_BLOCK_ROWS = 7
"""Rows of an inverse block that can be read from a distance. Only rows beyond them are used for a larger figure."""

METRICS = (("write", "writes", "rows/s"), ("read", "reads", "rows/s"), ("p99", "read p99", ""))
"""Metric, title and unit of each block."""


def figure(lane: LaneView, metric: str) -> str:
    """Return the value of the metric as shown below the inverse block."""
    if metric == "p99":
        return latency(lane.read.ranking_p99_us)
    return lane_style.done(lane, lane.role(metric).window_rows_per_s, short)


def factor_caption(rank: Rank | None, metric: str) -> str:
    """Return what the factor means: "ahead", "behind" or "slower"."""
    factor_text = lane_style.factor_text(rank)
    if rank is None or factor_text in ("", "level"):
        return factor_text
    if rank.position == 1:
        return "ahead"
    return "slower" if metric == "p99" else "behind"


def heading(title: str, unit: str, right: list[Span], width: int) -> Line:
    """Return a block's title and unit, and `right` at the right edge; the unit is dropped before either is cut."""
    name: list[Span] = [(title.upper(), STRONG)]
    variants = ([*name, (f" {unit}" if unit else "", TEXT)], name)
    left = first_fitting(variants, width - cells(right) - 1)
    return justify(left, right if left else [], width) if left else fit(name, width)


def block(
    lane: LaneView, metric: tuple[str, str, str], width: int, height: int, *, ascii_only: bool
) -> list[Line]:
    """Return one metric in `height` rows: heading, inverse block with factor, figure."""
    key, title, unit = metric
    if key == "p99" and lane.paced:
        title = "read response p99"
    rank = lane.ranks.get(key)
    value = figure(lane, key)
    if ascii_only:
        return _in_ascii(lane, rank, (key, title, unit), value, Size(width, height))
    top = heading(title, unit, [(factor_caption(rank, key), STRONG)], width)
    if rank is None or rank.position is None:
        return [top, *_unranked(lane, value, width, height - 1)]
    position = str(rank.position)
    factor = _large_factor(rank)
    figures = _figure_rows(value, width, height)
    available = height - 1 - len(figures)
    number = inverse_block(position, width // 2, available)
    if not number:
        rank_line = fit(
            [(f"{position}  {lane_style.factor_text(rank)}", lane_style.text_style(lane.lane))],
            width,
        )
        return [top, rank_line, *(((row, STRONG),) for row in figures)][:height]
    spacer = [BLANK] if height > 1 + len(number) + len(figures) else []
    free = width - len(number[0]) - 2
    size = (
        largest(factor if len(factor) > len(WIDEST_FACTOR) else WIDEST_FACTOR, free, len(number))
        if factor
        else None
    )
    large = rows_of(factor, *size) if size else ()
    above = (len(number) - len(large)) // 2
    lines: list[Line] = [top]
    for y, row in enumerate(number):
        inner = large[y - above] if 0 <= y - above < len(large) else ""
        if not large and y == len(number) // 2:
            inner = factor
        lines.append(fit([(row + "  " + inner, lane.lane)], width))
    return [*lines, *spacer, *(((row, STRONG),) for row in figures)][:height]


def _unranked(lane: LaneView, value: str, width: int, height: int) -> list[Line]:
    """Return the figure alone, as large as it fits: an empty inverse block would look like a result."""
    size = largest(WIDEST_FIGURE if " " in value else "88.8k", width, height)
    rows = rows_of(value, *size) if size else ()
    style = lane_style.text_style(lane.lane)
    return [((row, style),) for row in rows] or [((value, STRONG),)]


def _large_factor(rank: Rank | None) -> str:
    """Return the factor in characters of the pixel font: "6.8x", "3%", "=" for a tie; "" without a reference lane."""
    factor_text = lane_style.factor_text(rank).lstrip("+").replace(" ", "")
    return "=" if factor_text == "level" else factor_text


def _in_ascii(
    lane: LaneView, rank: Rank | None, metric: tuple[str, str, str], value: str, size: Size
) -> list[Line]:
    """Return one metric in ASCII: the figure is large, position and factor are text.

    Digits made of characters cannot be cut out of a block.
    """
    key, title, unit = metric
    rank_spans = lane_style.rank_spans(rank, STRONG, worse="slower" if key == "p99" else "behind")
    short_rank: list[Span] = [(lane_style.rank_text(rank), STRONG)]
    shown = first_fitting((rank_spans, short_rank, short_rank[:0]), size.width - len(title) - 1)
    top = heading(title, unit, shown, size.width)
    widest = WIDEST_FIGURE if " " in value else "88.8k"
    fits = largest(widest, size.width, size.height - 1, ascii_only=True)
    if fits is None:
        return [top, ((value, STRONG),)]
    rows = rows_of(value, *fits, ascii_only=True)
    return [top, *(((row, lane_style.text_style(lane.lane)),) for row in rows)]


def _figure_rows(value: str, width: int, height: int) -> tuple[str, ...]:
    """Return the figure in small digits if there are rows to spare, else as text."""
    if height >= 1 + INVERSE_BLOCK_ROWS + FIGURE_ROWS:
        large = rows_of(value, 0, 1)
        if large and len(large[0]) <= width:
            return large
    return (value,)


def _status_line(lane_info: LaneInfo, lane: LaneView, width: int) -> Line:
    """Return errors, badges, and for an open loop service time and backlog."""
    spans: list[Span] = []
    found = badges(lane_info, lane, width)
    below = [
        [[(text.strip(), STRONG)] for [(text, _)] in variants]
        for variants in (found.overloaded, found.client_bound)
        if variants
    ]
    available = width - sum(cells(variants[-1]) + 1 for variants in below)
    spans += first_fitting(lane_style.errors(lane), available)
    for variants in below:
        separator: list[Span] = [(" ", TEXT)] if spans else []
        if more := first_fitting(variants, width - cells(spans) - cells(separator)):
            spans += [*separator, *more]
    if not lane.paced:
        return tuple(spans)
    behind = f"backlog w {short(lane.write.backlog)} r {short(lane.read.backlog)}"
    service = f"read service p99 {latency(lane.read.p99_us)}  "
    in_all = f"backlog {short(lane.write.backlog + lane.read.backlog)}"
    texts = (service + behind, behind, in_all)
    available = width - (cells(spans) + 1 if spans else 0)
    return justify(first_fitting(([(text, TEXT)] for text in texts), available), spans, width)


def _p99_line(lane: LaneView, width: int) -> Line:
    """Return the p99 of reads in one row, for a screen without space for a third block."""
    rank = lane.ranks.get("p99")
    figures: list[Span] = [(latency(lane.read.ranking_p99_us), lane_style.text_style(lane.lane))]
    names = ("RESPONSE P99 ", "RESP P99 ", "RESP ") if lane.paced else ("READ P99 ", "P99 ")
    rank_text = lane_style.rank_text(rank)
    for shown_rank in (rank_text, rank_text.partition(" ")[0], ""):
        available = width - (len(shown_rank) + 1 if shown_rank else 0)
        if left := first_fitting(([(name, STRONG), *figures] for name in names), available):
            return justify(left, [(shown_rank, STRONG)], width)
    return tuple(first_fitting((figures,), width))


class StageLane(LanePanel):
    """Title, servers, status, and a block for each of writes, reads and read p99."""

    DEFAULT_CSS = "StageLane { height: 1fr; display: none; }"

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        """Return the rows of the lane."""
        width, height = size
        ascii_only = screen_state.presentation.glyphs == "ascii"
        lane_info = screen_state.lane_info(lane.lane)
        lines: list[Line] = [
            title_line(lane_info, lane, self.number, width),
            ((clip(lane_style.servers(lane_info), width), TEXT),),
            _status_line(lane_info, lane, width),
        ]
        left = height - len(lines)
        shown = METRICS if left >= 21 else METRICS[:2]
        last = [] if len(shown) == len(METRICS) else [_p99_line(lane, width)]
        # There is a spacer row between two blocks, and none after the last.
        each = max(2, (left - len(last) + (0 if last else 1)) // len(shown) - 1)
        for metric in shown:
            made = block(lane, metric, width, each, ascii_only=ascii_only)
            lines += [*made, *[BLANK] * (each + 1 - len(made))]
        return [*lines, *last][:height]
