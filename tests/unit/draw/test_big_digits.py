"""Digits that are several rows high."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.draw.big_digits import inverse_block, largest, rows_of


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
