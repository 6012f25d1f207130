"""Numbers as the screen and the tables write them."""

from __future__ import annotations

import pytest

from engines.metrics.figures import Unit
from tui.draw.format import figure_text, ms, share


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (None, "-"),
        (0.0, "0.0 %"),
        (0.9999, "99.9 %"),
        (1.0, "100.0 %"),
        # A mean of floats that should be 0.31.
        (0.30999999999999994, "31.0 %"),
        # One miss in ten million reads.
        (9_999_999 / 10_000_000, "99.9 %"),
    ],
)
def test_a_share_is_rounded_down_but_not_by_an_error_of_floats(
    part: float | None, text: str
) -> None:
    assert share(part) == text


def test_a_latency_in_a_table_is_in_ms_to_the_us() -> None:
    assert (ms(None), ms(0.0), ms(1_234.5), ms(1_234_567.0)) == ("-", "0.000", "1.234", "1234.567")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.COUNT, "-"),
        (1_234, Unit.COUNT, "1,234"),
        (1_234.6, Unit.PER_S, "1,235"),
        (2.25, Unit.S, "2.2"),
        (1_500.0, Unit.US, "1.500"),
        (0.5, Unit.SHARE, "50.0 %"),
    ],
)
def test_the_unit_of_a_figure_selects_its_format(
    value: float | None, unit: Unit, text: str
) -> None:
    assert figure_text(value, unit) == text


def test_every_unit_has_a_format() -> None:
    assert all(figure_text(0, unit) for unit in Unit)
