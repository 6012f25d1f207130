"""The values that a key steps through: near each other where they are small, far apart where they are large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Number = TypeVar("Number", int, float)

BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
TTLS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0)


def stepped(rungs: Sequence[Number], value: Number, step: int) -> Number:
    """The next rung above (`step` 1) or below (-1) `value`, which need not be one; at an end, `value` itself."""
    if step > 0:
        return next((rung for rung in rungs if rung > value), value)
    return next((rung for rung in reversed(rungs) if rung < value), value)
