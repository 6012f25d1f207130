"""The values that keys step through."""

from __future__ import annotations

import pytest

from tui.app.steps import BATCHES, RATES_PER_S, USUAL_RATE_PER_S, first_rate_per_s, next_step
from tui.view.axis import step_at_least


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
