"""Work over a window that slides: percentiles over the last seconds without merging them anew for every frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from math import ceil

from engines.metrics.histogram import LatencyDistribution, bucket_upper_ns
from engines.metrics.scheduling_delay import SchedulingDelay
from engines.metrics.stats import RoleStats

KEPT_S = 60.0
"""The longest window: older work is forgotten."""


class _Percentiles:
    """The latencies of some intervals in one count per bucket, which an interval can be taken out of again."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.count = 0

    def put(self, latencies: LatencyDistribution, sign: int) -> None:
        counts = self.counts
        for index, count in latencies.buckets:
            left = counts.get(index, 0) + sign * count
            if left:
                counts[index] = left
            else:
                del counts[index]
        self.count += sign * latencies.count

    def clear(self) -> None:
        self.counts.clear()
        self.count = 0

    def of(
        self, intervals: Iterable[LatencyDistribution], percents: tuple[float, ...]
    ) -> tuple[float | None, ...]:
        """Nearest-rank percentiles in us. `intervals` are those that were put in: only they know the extremes."""
        if not self.count:
            return tuple(None for _ in percents)
        filled = [part for part in intervals if part.count]
        lowest = min(part.min_ns for part in filled)
        highest = max(part.max_ns for part in filled)
        found: list[float] = []
        ranks = [max(1, ceil(self.count * percent / 100)) for percent in percents]
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            while len(found) < len(ranks) and seen >= ranks[len(found)]:
                rank = ranks[len(found)]
                value = highest if rank >= self.count else bucket_upper_ns(index)
                found.append(min(max(value, lowest), highest) / 1000)
            if len(found) == len(ranks):
                break
        return tuple(found)


class SlidingWindow:
    """The work of one role of one lane over the last `window_s` seconds.

    Adding and dropping an interval costs as much as it has buckets, whatever the length of the window; a test holds
    it against `Latencies.merged` over the same intervals.
    """

    def __init__(self, window_s: float) -> None:
        self._kept: deque[tuple[float, RoleStats]] = deque()
        self._inside = 0
        self._now_s = 0.0
        self._window_s = window_s
        self._service = _Percentiles()
        self._response = _Percentiles()
        self.rows = 0
        self.operations = 0
        self.failed = 0
        self.interval_s = 0.0
        self._waited_ns = 0
        self._turns = 0

    def add(self, at_s: float, work: RoleStats) -> None:
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
        self._service.clear()
        self._response.clear()
        self.rows = self.operations = self.failed = self._inside = 0
        self.interval_s = 0.0
        self._waited_ns = self._turns = 0
        for at_s, work in self._kept:
            if at_s > self._now_s - window_s:
                self._inside += 1
                self._put(work, 1)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self.resize(self._window_s)

    def _trim(self) -> None:
        gone = 0
        for at_s, work in self._in_window():
            if at_s > self._now_s - self._window_s:
                break
            self._put(work, -1)
            gone += 1
        self._inside -= gone

    def _put(self, work: RoleStats, sign: int) -> None:
        self._service.put(work.service, sign)
        if work.response is not None:
            self._response.put(work.response, sign)
        self.rows += sign * work.rows
        self.operations += sign * work.operations
        self.failed += sign * work.failed
        self.interval_s += sign * work.interval_s
        self._waited_ns += sign * work.scheduling_delay.waited_ns
        self._turns += sign * work.scheduling_delay.turns

    def _in_window(self) -> Iterator[tuple[float, RoleStats]]:
        return islice(self._kept, len(self._kept) - self._inside, None)

    @property
    def rows_per_s(self) -> float:
        """Rows in the window over the true length of its intervals."""
        return self._per_s(self.rows)

    @property
    def operations_per_s(self) -> float:
        """Operations in the window over the true length of its intervals."""
        return self._per_s(self.operations)

    def _per_s(self, number: int) -> float:
        # What is added and taken away again leaves a rounding error, never a whole interval.
        return number / self.interval_s if self.interval_s > 1e-6 else 0.0

    @property
    def scheduling_delay(self) -> SchedulingDelay:
        """What telemon waited for a processor in the window."""
        return SchedulingDelay(self._waited_ns, self._turns)

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
        """Nearest-rank percentiles of the service times in us, in ascending order of `percents`; None for each when
        there is no value."""
        return self._service.of((work.service for _, work in self._in_window()), percents)

    def response_us(self, *percents: float) -> tuple[float | None, ...]:
        """The same of the response times, which only an open loop has."""
        responses = (work.response for _, work in self._in_window())
        return self._response.of((part for part in responses if part is not None), percents)
