"""The top of a zero-based axis, in 1-2-5 steps that do not jump."""

from __future__ import annotations

from math import floor, log10

HEADROOM = 1.05
"""The peak stays this far below the top."""

PATIENCE = 20
"""How many frames in a row must fit a lower top before the axis goes down: 5 s at 4 frames per second."""


def step_at_least(value: float) -> float:
    """The smallest of ..., 1, 2, 5, 10, 20, 50, ... that is not below `value`; 1.0 for anything up to one."""
    if value <= 1.0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if factor * power >= value:
            return factor * power
    return 10.0 * power


class Scale:
    """An axis that grows at once, since a clipped value would be a wrong one, and shrinks only after a while."""

    def __init__(self) -> None:
        self.top = 1.0
        self._lower = 0

    def fit(self, peak: float) -> float:
        """Take in the highest value on show; returns the top of the axis."""
        wanted = step_at_least(peak * HEADROOM)
        if wanted > self.top:
            self.top, self._lower = wanted, 0
        elif wanted < self.top:
            self._lower += 1
            if self._lower >= PATIENCE:
                self.top, self._lower = wanted, 0
        else:
            self._lower = 0
        return self.top
