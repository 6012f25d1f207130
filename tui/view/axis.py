"""Scale the charts' zero-based axes in 1-2-5 steps that do not jump."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from tui.view.view import Axis, ChartPoint

HEADROOM = 1.05
"""Factor between the highest value on show and the lowest top that an axis may have for it.

With 1.0 the peak would touch the upper edge of the chart.
"""

SHRINK_AFTER = 20
"""Number of consecutive frames that must fit a lower top before the axis shrinks: 5 s at 4 frames per second.

A smaller number makes the axis jump between two steps.
"""


MAX_OVERSIZE = 4
"""An axis whose top is more than this many times too high shrinks at once."""


def step_at_least(value: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, 50, ... that is not below `value`."""
    if value <= 1.0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if factor * power >= value:
            return factor * power
    return 10.0 * power


class AxisScale:
    """The top of one axis, with hysteresis.

    It grows at once, because a clipped value would be a wrong one. It shrinks only after `SHRINK_AFTER` frames, or at
    once if it is more than `MAX_OVERSIZE` times too high: otherwise a spike that has left the chart would keep the
    other values too flat to be told apart.
    """

    def __init__(self) -> None:
        self.top = 1.0
        self._fitting_frames = 0

    def fit(self, peak: float) -> float:
        """Fit the axis to `peak`, the highest value on show, and return its top in the unit of `peak`.

        The top is a step that is at least `HEADROOM` times `peak`: 200.0 for 100.0. Call it once per frame: frames are
        counted before the axis shrinks.
        """
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
    """The two axes (rows per second, p99) of the charts of one or several lanes.

    Points from the warm-up do not stretch the axes: the first second of a cold server would set the scale of the whole
    race. While there are only warm-up points, they have axes of their own. Warm-up points that are higher than the
    measured ones are clipped.
    """

    def __init__(self) -> None:
        self._measured = (AxisScale(), AxisScale())
        self._warm = (AxisScale(), AxisScale())

    def fit(self, all_series: Sequence[Sequence[ChartPoint]], points: int) -> Axis:
        """Return the axes for the last `points` points of each series."""
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
    """Return the higher of a point's two rates in rows per second."""
    return max(point.write_rows_per_s, point.read_rows_per_s)


def _p99_us(point: ChartPoint) -> float:
    """Return the higher of a point's two p99 latencies in us; 0.0 where nothing was measured."""
    return max(point.write_p99_us or 0.0, point.read_p99_us or 0.0)
