"""The values that a key steps through: close together where they are small, far apart where they are large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

Number = TypeVar("Number", int, float)

BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
"""Batch sizes in rows."""
RATES_PER_S = (
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0,
    100_000.0, 200_000.0, 500_000.0, 1_000_000.0,
)  # fmt: skip
"""Rates of an open loop in operations per second."""
TTLS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0)
"""Times to live in seconds."""


def next_step(steps: Sequence[Number], value: Number, step: int) -> Number:
    """Return the next step above (`step` 1) or below (-1) `value`; at an end, return `value`.

    `value` need not be one of the steps.
    """
    if step > 0:
        return next((candidate for candidate in steps if candidate > value), value)
    return next((candidate for candidate in reversed(steps) if candidate < value), value)


USUAL_RATE_PER_S = 100.0
"""Rate of an open loop in operations per second if none was requested and nothing is measured yet."""


def first_rate_per_s(done_per_s: Iterable[float]) -> float:
    """Return a rate to start an open loop with, from the rates that lanes reach in a closed loop.

    It is the largest step that leaves the slowest lane half idle, or the smallest step. Rates of 0 are ignored.
    """
    slowest = min((rate for rate in done_per_s if rate > 0), default=None)
    if slowest is None:
        return USUAL_RATE_PER_S
    return max(
        (candidate for candidate in RATES_PER_S if candidate <= slowest / 2), default=RATES_PER_S[0]
    )
