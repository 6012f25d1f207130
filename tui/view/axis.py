"""The top of a zero-based axis, in 1-2-5 steps that do not jump."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from tui.view.view import Axis, ChartPoint

HEADROOM = 1.05
"""The peak stays this far below the top."""

SHRINK_AFTER = 20
"""How many frames in a row must fit a lower top before the axis goes down: 5 s at 4 frames per second."""


MAX_OVERSIZE = 4
"""An axis more than this many times too high goes down at once."""


def step_at_least(value: float) -> float:
    """The smallest of ..., 1, 2, 5, 10, 20, 50, ... that is not below `value`; 1.0 for anything up to one."""
    if value <= 1.0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if factor * power >= value:
            return factor * power
    return 10.0 * power


class AxisScale:
    """An axis that grows at once, since a clipped value would be a wrong one, and shrinks only after a while, unless
    nothing could be told apart on it any more: once a spike has left the chart, so has its axis."""

    def __init__(self) -> None:
        self.top = 1.0
        self._fitting_frames = 0

    def fit(self, peak: float) -> float:
        """Take in the highest value on show; returns the top of the axis."""
        wanted = step_at_least(peak * HEADROOM)
        if wanted > self.top:
            self.top, self._fitting_frames = wanted, 0
        elif wanted < self.top:
            self._fitting_frames += 1
            if self._fitting_frames >= SHRINK_AFTER or wanted * MAX_OVERSIZE < self.top:
                self.top, self._fitting_frames = wanted, 0
        else:
            self._fitting_frames = 0
        return self.top


class Axes:
    """The axes of one or several lanes' charts.

    The warm-up stretches none: a cold server's first second would stand over the whole race. While there is nothing
    else its points have axes of their own, and what it left above the measured ones is cut off.
    """

    def __init__(self) -> None:
        self._measured = (AxisScale(), AxisScale())
        self._warm = (AxisScale(), AxisScale())

    def fit(self, all_series: Sequence[Sequence[ChartPoint]], points: int) -> Axis:
        """Take in the last `points` of each trail."""
        shown = [point for series in all_series for point in series[-points:]]
        tops = []
        for measured, warm, peak in zip(
            self._measured, self._warm, (_rows_per_s, _p99_us), strict=True
        ):
            highest = max((peak(point) for point in shown if not point.warm), default=0.0)
            scale = measured
            if not highest:
                scale, highest = warm, max((peak(point) for point in shown), default=0.0)
            tops.append(scale.fit(highest))
        return Axis(*tops)


def _rows_per_s(point: ChartPoint) -> float:
    return max(point.write_rows_per_s, point.read_rows_per_s)


def _p99_us(point: ChartPoint) -> float:
    return max(point.write_p99_us or 0.0, point.read_p99_us or 0.0)
