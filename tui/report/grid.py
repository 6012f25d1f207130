"""Column layout of a table: labels on the left, a column of cells for each lane. Without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

LABEL_WIDTH = 22
"""Least width of the labels in cells."""

COLUMN_WIDTH = 16
"""Least width of a column in cells."""

Row = tuple[str, list[str]]
"""Label, and a cell for each column."""


def grid_lines(rows: Sequence[Row], width: int | None) -> Iterator[str]:
    """Yield `rows` as lines with their cells under one another; no cell is cut.

    Columns that do not fit into `width` cells follow below the others. Without a width all columns stand side by side.
    """
    label_width = max(LABEL_WIDTH, *(len(label) + 1 for label, _ in rows))
    cell_width = max(COLUMN_WIDTH, *(len(cell) + 2 for _, cells in rows for cell in cells))
    columns = max(len(cells) for _, cells in rows)
    if width is None or label_width + columns * cell_width <= width:
        beside = columns
    else:
        beside = max(1, (width - label_width) // cell_width)
    for first in range(0, columns, beside):
        if first:
            yield ""
        for label, cells in rows:
            shown = cells[first : first + beside]
            yield (label.ljust(label_width) + "".join(c.rjust(cell_width) for c in shown)).rstrip()
