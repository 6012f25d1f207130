"""Draw the last minute of a lane: rows per second, or p99, on an axis that starts at zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual.geometry import Size

from tui.draw.chart import DOTS_PER_CELL, Cell, plot
from tui.draw.styled import QUIET, STRONG, TEXT, Line, Span, first_fitting, justify
from tui.draw.styled import width as widths
from tui.view.chart_series import POINT_S
from tui.view.state import ScreenState
from tui.view.view import ChartPoint, LaneView
from tui.widgets.base.lane_panel import LanePanel

AXIS_CELLS = 7
"""Width of the axis in cells.

Performance: the axis is at the right, where it is not sent again when the chart moves.
"""


def newest(points: Sequence[ChartPoint], wanted: int) -> list[ChartPoint | None]:
    """Return the last `wanted` points, with None in front if there are fewer."""
    taken = list(points[-wanted:]) if wanted else []
    return [None] * (wanted - len(taken)) + taken


def paired(values: list[float | None], per_value: int, *, highest: bool) -> list[float | None]:
    """Return each `per_value` neighbours as one value: their mean, or with `highest` their maximum.

    Latencies use the maximum, so that a peak stays visible.
    """
    if per_value == 1:
        return values
    found: list[float | None] = []
    for start in range(0, len(values), per_value):
        some = [value for value in values[start : start + per_value] if value is not None]
        if not some:
            found.append(None)
        else:
            found.append(max(some) if highest else sum(some) / len(some))
    return found


def series(
    points: Sequence[ChartPoint], kind: str, wanted: int, per_value: int, top: float
) -> tuple[list[float | None], list[float | None]]:
    """Return writes and reads as fractions of the axis' top (0 to 1), `wanted` values each."""
    shown = newest(points, wanted * per_value)
    if kind == "rate":
        writes = [p.write_rows_per_s if p else None for p in shown]
        reads = [p.read_rows_per_s if p else None for p in shown]
    else:
        writes = [p.write_p99_us if p else None for p in shown]
        reads = [p.read_p99_us if p else None for p in shown]
    highest = kind == "p99"
    return (
        [v if v is None else v / top for v in paired(writes, per_value, highest=highest)],
        [v if v is None else v / top for v in paired(reads, per_value, highest=highest)],
    )


def spans_of(cells: Sequence[Cell], styles: tuple[str, str, str]) -> list[Span]:
    """Return cells as spans.

    Performance: blanks take the style before them, because a change of colour costs more bytes than a space.
    """
    found: list[Span] = []
    text, style = "", styles[0]
    for glyph, layer in cells:
        wanted = style if glyph == " " and text else styles[layer]
        if wanted != style:
            if text:
                found.append((text, style))
            text, style = "", wanted
        text += glyph
    if text:
        found.append((text, style))
    return found


class LaneChart(LanePanel):
    """A chart with writes as an area and reads as a line over it. `kind` is "rate" or "p99"."""

    DEFAULT_CSS = "LaneChart { height: 1fr; }"

    def __init__(
        self, index: int, kind: Literal["rate", "p99"], *, classes: str | None = None
    ) -> None:
        super().__init__(index, classes=classes)
        self.kind = kind

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        """Return heading, chart and axis; nothing in fewer than two rows or fewer than 15 cells."""
        view, (width, height) = screen_state.view, size
        if view is None or height < 2 or width < AXIS_CELLS + 8:
            return []
        axis = view.axis if screen_state.presentation.shared_axis else lane.axis
        top = axis.rows_per_s if self.kind == "rate" else axis.p99_us
        cells = width - AXIS_CELLS
        per_cell = DOTS_PER_CELL[screen_state.presentation.glyphs]
        # A value is half a second in braille, where a cell shows two values, and a second in other glyphs.
        writes, reads = series(lane.points, self.kind, cells * per_cell, 2 // per_cell, top)
        grid = plot(writes, reads, height - 1, screen_state.presentation.glyphs)
        labels = {0: _label(self.kind, top), height - 2: "0"}
        if height >= 8:
            labels[(height - 1) // 2] = _label(self.kind, top / 2)
        lines = [
            (
                *spans_of(row, (QUIET, lane.lane, STRONG)),
                (" " + labels.get(y, "").ljust(AXIS_CELLS - 1), QUIET),
            )
            for y, row in enumerate(grid)
        ]
        return [self._heading(screen_state, lane, cells, width), *lines]

    def _heading(self, screen_state: ScreenState, lane: LaneView, cells: int, width: int) -> Line:
        """Return the metric and the legend at the left, and the time span of the chart at the right."""
        p99 = "response p99" if lane.paced else "p99"
        what = "rows/s" if self.kind == "rate" else p99
        area, line = {"braille": ("⣿", "⠒"), "block": ("█", "▀"), "ascii": (":", "*")}[
            screen_state.presentation.glyphs
        ]
        seconds = round(cells * 2 * POINT_S)
        legend: list[Span] = [(what, TEXT), (f"  {area} writes  {line} reads", QUIET)]
        scope = (
            f"{seconds} s" if screen_state.presentation.shared_axis else f"{seconds} s, own axis"
        )
        # Above the newest values if that fits, else in the corner; the time span is dropped before "own axis".
        available = width - widths(legend) - 1
        ends = (
            scope + " " * AXIS_CELLS,
            scope,
            "" if screen_state.presentation.shared_axis else "own axis",
        )
        return justify(legend, first_fitting(([(end, QUIET)] for end in ends), available), width)


def _label(kind: str, value: float) -> str:
    """Return an axis label: one digit for the axis' steps, two for their middles."""
    if kind == "p99":
        ms = value / 1000
        return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
