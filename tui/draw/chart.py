"""Draw series of numbers as characters: an area and a line in one grid of cells, in braille, blocks or ASCII.

Pure functions. Input values are from 0 to 1; None leaves a gap. Output rows are lists of (glyph, layer), where layer is
0 for blank, 1 for the area and 2 for the line. The line hides the area in its cells, so that it can be followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

Values = Sequence[float | None]
"""One number per column, from 0 to 1; None leaves a gap."""
Cell = tuple[str, int]
"""A character, and its layer: 0 for blank, 1 for the area, 2 for the line."""
Stroke = tuple[int, int]
"""Lowest and highest dot of a vertical stroke."""

DOTS_PER_CELL = {"braille": 2, "block": 1, "ascii": 1}
"""Number of values side by side that one cell shows."""

EIGHTHS = " ▁▂▃▄▅▆▇█"
"""Blocks that fill a cell by 0 to 8 eighths, from the bottom."""

_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
"""The bits of a braille cell's right column, from the lowest dot to the highest.

`_LEFT` are those of the left column.
"""


def plot(area: Values, line: Values, rows: int, glyphs: str) -> list[list[Cell]]:
    """Return rows of cells, top row first; each is as wide as the longer series divided by `DOTS_PER_CELL`."""
    if glyphs == "braille":
        return _braille(area, line, rows)
    return _blocks(area, line, rows, ascii_only=glyphs == "ascii")


def _step_of(value: float | None, steps: int) -> int | None:
    """Return the step (0 to `steps` - 1) of a value; None for None."""
    return None if value is None else min(steps - 1, max(0, round(value * (steps - 1))))


def _braille(area: Values, line: Values, rows: int) -> list[list[Cell]]:
    """Return rows of braille cells: four dots high and two values wide each."""
    dots = rows * 4
    columns = (max(len(area), len(line)) + 1) // 2
    # A value above zero is always visible, however small it is.
    fills = [min(dots, max(1, round(value * dots))) if value else 0 for value in area]
    fills += [0] * (columns * 2 - len(fills))
    strokes: list[Stroke | None] = []
    before: int | None = None
    for value in line:
        height = _step_of(value, dots)
        if height is None:
            strokes.append(None)
        # A steep step is drawn as a vertical stroke, so that the line has no gaps.
        elif before is None or abs(before - height) <= 1:
            strokes.append((height, height))
        else:
            strokes.append((before + 1, height) if before < height else (height, before - 1))
        before = height
    strokes += [None] * (columns * 2 - len(strokes))
    made = [
        _braille_column(fills[x], fills[x + 1], strokes[x], strokes[x + 1], rows)
        for x in range(0, columns * 2, 2)
    ]
    return [[column[y] for column in made] for y in range(rows)]


@lru_cache(8192)
def _braille_column(
    left_fill: int, right_fill: int, left: Stroke | None, right: Stroke | None, rows: int
) -> tuple[Cell, ...]:
    """Return one column of cells, top first.

    Performance: cached, because a chart that moves on by one cell shows all of its other columns again.
    """
    filled = [0] * rows
    drawn = [0] * rows
    for bits, fill, stroke in ((_LEFT, left_fill, left), (_RIGHT, right_fill, right)):
        for y in range(fill):
            filled[rows - 1 - y // 4] |= bits[y % 4]
        for y in range(stroke[0], stroke[1] + 1) if stroke else ():
            drawn[rows - 1 - y // 4] |= bits[y % 4]
    return tuple(
        (chr(0x2800 | stroke), 2) if stroke else (chr(0x2800 | fill), 1) if fill else (" ", 0)
        for fill, stroke in zip(filled, drawn, strict=True)
    )


def _blocks(area: Values, line: Values, rows: int, *, ascii_only: bool) -> list[list[Cell]]:
    """Return rows of block or ASCII cells, one value wide each."""
    columns = max(len(area), len(line))
    grid: list[list[Cell]] = [[(" ", 0)] * columns for _ in range(rows)]
    steps = rows * (1 if ascii_only else 8)
    for x, value in enumerate(area):
        if value is None:
            continue
        eighths = min(steps, max(0, round(value * steps)))
        for y in range(rows):
            if ascii_only:
                if y < eighths:
                    grid[rows - 1 - y][x] = (":", 1)
            else:
                part = min(8, max(0, eighths - y * 8))
                if part:
                    grid[rows - 1 - y][x] = (EIGHTHS[part], 1)
    for x, value in enumerate(line):
        if ascii_only:
            height = _step_of(value, rows)
            if height is not None:
                grid[rows - 1 - height][x] = ("*", 2)
        else:
            height = _step_of(value, rows * 2)
            if height is not None:
                grid[rows - 1 - height // 2][x] = ("▀" if height % 2 else "▄", 2)
    return grid


def sparkline(values: Values, glyphs: str) -> str:
    """Return one row of bars, one cell for each value; None becomes a blank."""
    bars = " .:-=+*#@" if glyphs == "ascii" else EIGHTHS
    found = []
    for value in values:
        if value is None:
            found.append(" ")
        else:
            # A very low rate must look different from zero.
            least = 1 if value > 0 else 0
            found.append(bars[min(8, max(least, round(value * 8)))])
    return "".join(found)


def bar(share: float, cells: int, glyphs: str) -> tuple[str, str]:
    """Return a horizontal bar of `cells` cells as its filled and its empty part.

    Its resolution is an eighth of a cell.
    """
    share = min(1.0, max(0.0, share))
    if glyphs == "ascii":
        full = round(share * cells)
        return "#" * full, "." * (cells - full)
    eighths = round(share * cells * 8)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
    return filled, " " * (cells - len(filled))


def thin_bar(share: float, cells: int, glyphs: str) -> tuple[str, str]:
    """Return a bar drawn as a line, for a share that is nearly always close to 1."""
    if glyphs == "ascii":
        return bar(share, cells, glyphs)
    full = round(min(1.0, max(0.0, share)) * cells)
    return "━" * full, "─" * (cells - full)
