"""The values that a key steps through: near each other where they are small, far apart where they are large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

Number = TypeVar("Number", int, float)

BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
RATES_PER_S = (
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0,
    100_000.0, 200_000.0, 500_000.0, 1_000_000.0,
)  # fmt: skip
TTLS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0)


def next_step(steps: Sequence[Number], value: Number, step: int) -> Number:
    """The next rung above (`step` 1) or below (-1) `value`, which need not be one; at an end, `value` itself."""
    if step > 0:
        return next((candidate for candidate in steps if candidate > value), value)
    return next((candidate for candidate in reversed(steps) if candidate < value), value)


USUAL_RATE_PER_S = 100.0
"""Where nobody has said and nothing is measured yet."""


def first_rate_per_s(done_per_s: Iterable[float]) -> float:
    """A rate to begin an open loop with, for lanes that do so many operations per second as fast as they can: the
    largest rung that leaves the slowest of them half idle, or the lowest. What stands still has no say."""
    slowest = min((rate for rate in done_per_s if rate > 0), default=None)
    if slowest is None:
        return USUAL_RATE_PER_S
    return max(
        (candidate for candidate in RATES_PER_S if candidate <= slowest / 2), default=RATES_PER_S[0]
    )
