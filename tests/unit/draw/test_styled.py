"""Lines of styled text that keep to their cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.draw.styled import STYLES, Line, ascii_line, fit, justify, width

texts = st.text(st.sampled_from("ab 1█⣿●漢é"), max_size=6)


lines = st.lists(st.tuples(texts, st.sampled_from(STYLES)), max_size=6).map(tuple)


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
