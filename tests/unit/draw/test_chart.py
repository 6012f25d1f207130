"""Charts, bars and trends in character cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.draw.chart import bar, plot, sparkline

parts = st.one_of(st.none(), st.floats(0, 1))


@given(
    st.lists(parts, max_size=40), st.lists(parts, max_size=40), st.integers(1, 12),
    st.sampled_from(["braille", "block", "ascii"]),
)  # fmt: skip
def test_charts_stay_in_their_cells(
    area: list[float | None], line: list[float | None], rows: int, glyphs: str
) -> None:
    grid = plot(area, line, rows, glyphs)
    columns = max(len(area), len(line))
    if glyphs == "braille":
        columns = (columns + 1) // 2
    assert [len(row) for row in grid] == [columns] * rows
    for row in grid:
        for glyph, layer in row:
            assert cell_len(glyph) == 1
            assert (layer == 0) == (glyph == " ")
            assert glyphs != "ascii" or glyph.isascii()


def test_braille_area_fills_from_the_ground() -> None:
    grid = plot([1.0, 1.0, 0.0, 0.0, 0.5, 0.5], [], 2, "braille")
    assert ["".join(glyph for glyph, _ in row) for row in grid] == ["⣿  ", "⣿ ⣿"]


def test_block_chart_has_eighths() -> None:
    grid = plot([0.0, 1 / 16, 0.5, 1.0], [], 2, "block")
    assert ["".join(glyph for glyph, _ in row) for row in grid] == ["   █", " ▁██"]


def test_line_hides_the_area_behind_it() -> None:
    grid = plot([1.0], [1.0], 2, "block")
    assert grid[0][0] == ("▀", 2)
    assert grid[1][0] == ("█", 1)


def test_trend_tells_slow_from_standing() -> None:
    assert sparkline([0.0, 0.001, 1.0, None], "block") == " ▁█ "
    assert sparkline([0.0, 0.001, 1.0, None], "ascii") == " .@ "


@given(st.floats(0, 1), st.integers(0, 60), st.sampled_from(["block", "ascii"]))
def test_bars_have_their_length(share: float, cells: int, glyphs: str) -> None:
    full, empty = bar(share, cells, glyphs)
    assert cell_len(full + empty) == cells
