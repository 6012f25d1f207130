"""The pure parts of drawing: axes, charts, digits, lines and figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.app.steps import BATCHES, RATES_PER_S, USUAL_RATE_PER_S, first_rate_per_s, next_step
from tui.draw import format as figures
from tui.draw.big_digits import inverse_block, largest, rows_of
from tui.draw.chart import bar, plot, sparkline
from tui.draw.styled import STYLES, Line, ascii_line, fit, justify, width
from tui.view.axis import SHRINK_AFTER, AxisScale, step_at_least
from tui.view.ranking import Rank, rank_lanes
from tui.widgets.base.lines import last_difference

parts = st.one_of(st.none(), st.floats(0, 1))
texts = st.text(st.sampled_from("ab 1█⣿●漢é"), max_size=6)
lines = st.lists(st.tuples(texts, st.sampled_from(STYLES)), max_size=6).map(tuple)


@given(st.floats(1, 1e12))
def test_steps_are_1_2_5(value: float) -> None:
    step = step_at_least(value)
    assert step >= value
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert round(mantissa, 6) in (1, 2, 5)
    # None of the steps below would do.
    assert step < value * 2.5 + 1e-6 or step == 1.0


def test_axis_grows_at_once_and_shrinks_late() -> None:
    scale = AxisScale()
    assert scale.fit(90_000) == 100_000
    assert scale.fit(96_000) == 200_000  # within 5 % of the top
    for _ in range(SHRINK_AFTER - 1):
        assert scale.fit(40_000) == 200_000
    assert scale.fit(40_000) == 50_000


def test_axis_does_not_jump_between_two_peaks() -> None:
    scale = AxisScale()
    tops = {scale.fit(peak) for peak in [95_500, 90_000] * 40}
    assert tops == {200_000}


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


def test_rows_of_digits() -> None:
    assert rows_of("1.7k", 0, 1) == ("▄█    ▀▀█ █ ▄", " █     ▄▀ ██ ", "▀▀▀ ▀  ▀  ▀ ▀")


@given(
    st.text(st.sampled_from("0123456789.,kMx"), min_size=1, max_size=7),
    st.integers(0, 80),
    st.integers(0, 20),
)
def test_largest_digits_fit(text: str, cells: int, rows: int) -> None:
    size = largest(text, cells, rows)
    if size is None:
        smallest = rows_of(text, 0, 1)
        assert len(smallest[0]) > cells or len(smallest) > rows
        return
    made = rows_of(text, *size)
    assert len(made) <= rows
    assert all(len(row) <= cells for row in made)


@given(st.integers(0, 60), st.integers(0, 30))
def test_plates_fit_and_are_filled_around_the_number(cells: int, rows: int) -> None:
    made = inverse_block("2", cells, rows)
    assert len(made) <= rows
    assert all(len(row) <= cells for row in made)
    if made:
        assert set(made[0]) <= {"█", "▀"}


@given(lines, st.integers(0, 30))
def test_fitted_lines_have_their_width(line: Line, cells: int) -> None:
    assert width(fit(line, cells)) == cells
    assert width(ascii_line(fit(line, cells))) == cells
    assert all(text.isascii() for text, _ in ascii_line(line))


@given(lines, lines, st.integers(1, 30))
def test_right_side_is_kept(left: Line, right: Line, cells: int) -> None:
    made = justify(left, right, cells)
    assert width(made) == cells
    text = "".join(part for part, _ in right)
    if cell_len(text) <= cells and text:
        assert "".join(part for part, _ in made).endswith(text)


@given(lines, lines)
def test_last_difference_is_the_last_one(before: Line, after: Line) -> None:
    old, new = fit(before, 20), fit(after, 20)
    end = last_difference(old, new, 20)

    def cells(line: Line) -> list[tuple[str, str]]:
        return [(char, style) for text, style in line for char in text]

    one, other = cells(old), cells(new)
    if len(one) != 20 or len(other) != 20:
        assert end in (0, 20)
        return
    differing = [x for x in range(20) if one[x] != other[x]]
    assert end == (differing[-1] + 1 if differing else 0)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999.4, "999"), (999.6, "1.00k"), (12_345, "12.3k"), (999_499, "999k"), (999_500, "1.00M")],
)  # fmt: skip
def test_short_numbers(number: float, text: str) -> None:
    assert figures.short(number) == text


@given(st.floats(0, 1e12))
def test_short_numbers_are_short(number: float) -> None:
    assert len(figures.short(number)) <= 5


@pytest.mark.parametrize(
    ("us", "text"),
    [(None, "-"), (85, "0.09 ms"), (9_994, "9.99 ms"), (9_996, "10.0 ms"), (123_400, "123 ms"), (12_000_000, "12.0 s")],
)  # fmt: skip
def test_latencies(us: float | None, text: str) -> None:
    assert figures.latency(us) == text


def test_gaps_shares_clocks() -> None:
    assert [figures.factor(g) for g in (None, 1.0, 2.71, 9.96, 1e6)] == [
        "-",
        "1.0x",
        "2.7x",
        "10x",
        ">999x",
    ]
    assert [figures.share(s) for s in (None, 0.9999, 1.0)] == ["-", "99.9 %", "100.0 %"]
    assert [figures.clock(s) for s in (0.9, 67, 3_725)] == ["0:00", "1:07", "1:02:05"]
    assert [figures.ordinal(n) for n in (1, 2, 3, 4)] == ["1st", "2nd", "3rd", "4th"]
    assert figures.sanitize("a\x1b[31mb\nc\x07") == "a [31mb c "


def test_places() -> None:
    found = rank_lanes({"a": 100.0, "b": 270.0, "c": 90.0, "d": 0.0, "e": None}, higher_wins=True)
    assert (found["b"].position, found["b"].factor) == (1, 2.7)
    assert (found["a"].position, found["a"].factor) == (2, 2.7)
    assert (found["c"].position, found["c"].factor) == (3, 3.0)
    assert found["d"].position is None
    assert found["e"].position is None
    latency = rank_lanes({"a": 1.0, "b": 4.0}, higher_wins=False)
    assert (latency["a"].position, latency["a"].factor) == (1, 4.0)
    assert rank_lanes({"a": 5.0, "b": 5.0}, higher_wins=True)["b"].position == 1
    assert rank_lanes({"a": 5.0, "b": None}, higher_wins=True)["a"] == Rank()


def test_ladders() -> None:
    assert next_step(BATCHES, 100, 1) == 200
    assert next_step(BATCHES, 100, -1) == 50
    assert next_step(BATCHES, 70, 1) == 100
    assert next_step(BATCHES, 1, -1) == 1
    assert next_step(BATCHES, 10_000, 1) == 10_000


@pytest.mark.parametrize(
    ("done", "rate"),
    [([400.0, 90.0], 20), ([40.0, 5_000.0], 20), ([39.9], 10), ([1.2], 1), ([0.0, 1_000.0], 500)],
)
def test_first_rate_leaves_the_slowest_half_idle(done: list[float], rate: float) -> None:
    assert first_rate_per_s(done) == rate


def test_first_rate_without_a_measure() -> None:
    assert first_rate_per_s([]) == first_rate_per_s([0.0]) == USUAL_RATE_PER_S
    assert USUAL_RATE_PER_S in RATES_PER_S
    assert list(RATES_PER_S) == [step_at_least(rate) for rate in RATES_PER_S]
