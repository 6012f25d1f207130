"""Axes: 1-2-5 steps that do not jump."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tui.view.axis import SHRINK_AFTER, AxisScale, step_at_least


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
