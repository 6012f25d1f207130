"""Work over a window that slides: percentiles over the last seconds without merging them anew for every frame."""

from __future__ import annotations

from collections import deque
from itertools import islice
from math import ceil

from engines.frame import Work
from engines.histogram import Latencies, bucket_upper_ns

KEPT_S = 60.0
"""The longest window: older work is forgotten."""


class SlidingWork:
    """The work of one role of one lane over the last `window_s` seconds.

    Adding and dropping an interval costs as much as it has buckets, whatever the length of the window; a test holds
    it against `Latencies.merged` over the same intervals.
    """

    def __init__(self, window_s: float) -> None:
        self._kept: deque[tuple[float, Work]] = deque()
        self._inside = 0
        self._now_s = 0.0
        self._window_s = window_s
        self._counts: dict[int, int] = {}
        self._count = 0
        self.rows = 0
        self.failed = 0
        self.interval_s = 0.0

    def add(self, at_s: float, work: Work) -> None:
        """Take in the interval that ended at `at_s`; forget what is too old."""
        self._now_s = at_s
        self._kept.append((at_s, work))
        self._inside += 1
        self._put(work, 1)
        self._trim()
        while len(self._kept) > self._inside and self._kept[0][0] <= at_s - KEPT_S:
            self._kept.popleft()

    def resize(self, window_s: float) -> None:
        """Look back `window_s` seconds (at most KEPT_S) from now on, over what is still kept."""
        self._window_s = window_s
        self._counts.clear()
        self._count = self.rows = self.failed = self._inside = 0
        self.interval_s = 0.0
        for at_s, work in self._kept:
            if at_s > self._now_s - window_s:
                self._inside += 1
                self._put(work, 1)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self.resize(self._window_s)

    def _trim(self) -> None:
        start = len(self._kept) - self._inside
        gone = 0
        for at_s, work in islice(self._kept, start, None):
            if at_s > self._now_s - self._window_s:
                break
            self._put(work, -1)
            gone += 1
        self._inside -= gone

    def _put(self, work: Work, sign: int) -> None:
        counts = self._counts
        for index, count in work.service.buckets:
            left = counts.get(index, 0) + sign * count
            if left:
                counts[index] = left
            else:
                del counts[index]
        self._count += sign * work.service.count
        self.rows += sign * work.rows
        self.failed += sign * work.failed
        self.interval_s += sign * work.interval_s

    def _intervals(self) -> list[Latencies]:
        start = len(self._kept) - self._inside
        return [w.service for _, w in islice(self._kept, start, None) if w.service.count]

    @property
    def rows_per_s(self) -> float:
        """Rows in the window over the true length of its intervals."""
        # What is added and taken away again leaves a rounding error, never a whole interval.
        return self.rows / self.interval_s if self.interval_s > 1e-6 else 0.0

    def rate_over(self, seconds: float) -> float:
        """Rows per second over the intervals that ended in the last `seconds`."""
        rows, length = 0, 0.0
        for at_s, work in reversed(self._kept):
            if at_s <= self._now_s - seconds + 1e-9:
                break
            rows += work.rows
            length += work.interval_s
        return rows / length if length > 0 else 0.0

    def percentiles_us(self, *percents: float) -> tuple[float | None, ...]:
        """Nearest-rank percentiles in us, in ascending order of `percents`; None for each when there is no value."""
        if not self._count:
            return tuple(None for _ in percents)
        intervals = self._intervals()
        lowest = min(part.min_ns for part in intervals)
        highest = max(part.max_ns for part in intervals)
        found: list[float] = []
        ranks = [max(1, ceil(self._count * percent / 100)) for percent in percents]
        seen = 0
        for index in sorted(self._counts):
            seen += self._counts[index]
            while len(found) < len(ranks) and seen >= ranks[len(found)]:
                rank = ranks[len(found)]
                value = highest if rank >= self._count else bucket_upper_ns(index)
                found.append(min(max(value, lowest), highest) / 1000)
            if len(found) == len(ranks):
                break
        return tuple(found)
