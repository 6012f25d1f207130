"""Collect the history of a lane as its charts show it: one point per half second."""

from __future__ import annotations

from collections import deque

from engines.metrics.frame import LaneFrame
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import RoleStats
from engines.metrics.totals import UNMEASURED
from tui.view.view import ChartPoint

POINT_S = 0.5
"""Length of one point in seconds.

Charts move by whole points, so that most frames repaint only the last column of a chart. A shorter point sends more
bytes to the terminal.
"""

POINTS = 240
"""Maximum number of points kept: two minutes, more than the widest chart shows."""


class ChartSeries:
    """Chart points of one lane, aligned to the monotonic clock: the charts of all lanes move at the same moment."""

    def __init__(self) -> None:
        self._points: deque[ChartPoint] = deque(maxlen=POINTS)
        self._slot: int | None = None
        self._rows = (0, 0)
        self._intervals_s = (0.0, 0.0)
        self._p99s: tuple[float | None, float | None] = (None, None)

    def add(self, at_s: float, frame: LaneFrame) -> None:
        """Add the numbers of the interval that ended at `at_s` seconds on the monotonic clock.

        Intervals of the same `POINT_S` slot are merged: rates are averaged over the slot, and the highest p99 is kept.
        """
        slot = int(at_s / POINT_S)
        warm = frame.state in UNMEASURED
        if self._slot == slot and self._points[-1].warm and not warm:
            # The first measured interval has the point to itself.
            self._begin()
        if self._slot is None or slot > self._slot:
            # A gap in the frames is a gap in the chart, not a shorter chart.
            for _ in range(min(slot - self._slot - 1, POINTS) if self._slot is not None else 0):
                self._points.append(ChartPoint(0.0, 0.0, None, None))
            self._slot = slot
            self._points.append(ChartPoint(0.0, 0.0, None, None))
            self._begin()
        roles = (frame.write, frame.read)
        self._rows = (self._rows[0] + roles[0].rows, self._rows[1] + roles[1].rows)
        self._intervals_s = (
            self._intervals_s[0] + roles[0].interval_s,
            self._intervals_s[1] + roles[1].interval_s,
        )
        p99s = tuple(
            max(before or 0.0, latencies.percentile_us(99)) if latencies.count else before
            for before, latencies in zip(self._p99s, map(_ranking_latency, roles), strict=True)
        )
        self._p99s = (p99s[0], p99s[1])
        rates = [
            rows / interval_s if interval_s > 0 else 0.0
            for rows, interval_s in zip(self._rows, self._intervals_s, strict=True)
        ]
        self._points[-1] = ChartPoint(rates[0], rates[1], *self._p99s, warm)

    def _begin(self) -> None:
        """Reset the sums of the current point."""
        self._rows, self._intervals_s, self._p99s = (0, 0), (0.0, 0.0), (None, None)

    @property
    def points(self) -> tuple[ChartPoint, ...]:
        """Return all kept points, oldest first."""
        return tuple(self._points)

    def clear(self) -> None:
        """Remove all points."""
        self._points.clear()
        self._slot = None


def _ranking_latency(work: RoleStats) -> LatencyDistribution:
    """Return the latencies as seen by the caller: response times where they are known, else service times."""
    return work.service if work.response is None else work.response
