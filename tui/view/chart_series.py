"""The past of a lane as its charts need it: one point per half second."""

from __future__ import annotations

from collections import deque

from engines.metrics.frame import LaneFrame
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import RoleStats
from engines.metrics.totals import UNMEASURED
from tui.view.view import ChartPoint

POINT_S = 0.5
"""The time of one point. Charts move by whole points, so most frames repaint only a chart's last column."""

POINTS = 240
"""How many points are kept: two minutes, more than the widest chart shows."""


class ChartSeries:
    """Collects intervals into points aligned with the clock, so that all lanes move at the same moment."""

    def __init__(self) -> None:
        self._points: deque[ChartPoint] = deque(maxlen=POINTS)
        self._slot: int | None = None
        self._rows = (0, 0)
        self._lengths = (0.0, 0.0)
        self._p99s: tuple[float | None, float | None] = (None, None)

    def add(self, at_s: float, frame: LaneFrame) -> None:
        """Take in what the lane did in the interval that ended at `at_s` on the monotonic clock."""
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
        works = (frame.write, frame.read)
        self._rows = (self._rows[0] + works[0].rows, self._rows[1] + works[1].rows)
        self._lengths = (
            self._lengths[0] + works[0].interval_s,
            self._lengths[1] + works[1].interval_s,
        )
        p99s = tuple(
            max(before or 0.0, latencies.percentile_us(99)) if latencies.count else before
            for before, latencies in zip(self._p99s, map(_ranking_latency, works), strict=True)
        )
        self._p99s = (p99s[0], p99s[1])
        rates = [
            rows / length if length > 0 else 0.0
            for rows, length in zip(self._rows, self._lengths, strict=True)
        ]
        self._points[-1] = ChartPoint(rates[0], rates[1], *self._p99s, warm)

    def _begin(self) -> None:
        self._rows, self._lengths, self._p99s = (0, 0), (0.0, 0.0), (None, None)

    @property
    def points(self) -> tuple[ChartPoint, ...]:
        """All kept points, oldest first."""
        return tuple(self._points)

    def clear(self) -> None:
        """Forget everything."""
        self._points.clear()
        self._slot = None


def _ranking_latency(work: RoleStats) -> LatencyDistribution:
    """The times that whoever asked would see: from when an operation was due, where that is known."""
    return work.service if work.response is None else work.response
