"""Numbers as screen and tables show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.draw import format as figures


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
