"""Which cells of a line changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.draw.styled import STYLES, Line, fit
from tui.widgets.base.lines import last_difference

texts = st.text(st.sampled_from("ab 1█⣿●漢é"), max_size=6)


lines = st.lists(st.tuples(texts, st.sampled_from(STYLES)), max_size=6).map(tuple)


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
