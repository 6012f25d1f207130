"""Work over a sliding window: rates and percentiles of the last seconds, updated frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from math import ceil

from engines.metrics.histogram import LatencyDistribution, bucket_upper_ns
from engines.metrics.merge import RunningTotal
from engines.metrics.scheduling_delay import SchedulingDelay
from engines.metrics.stats import RoleStats

KEPT_S = 60.0
"""Longest window in s. Older work is forgotten, so that a larger value costs memory."""


class _Percentiles:
    """Latencies of some intervals in one count per bucket. An interval can be taken out again."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.count = 0

    def put(self, latencies: LatencyDistribution, sign: int) -> None:
        """Add (`sign` 1) or take out (-1) the latencies of an interval."""
        counts = self.counts
        for index, count in latencies.buckets:
            left = counts.get(index, 0) + sign * count
            if left:
                counts[index] = left
            else:
                del counts[index]
        self.count += sign * latencies.count

    def clear(self) -> None:
        """Forget everything."""
        self.counts.clear()
        self.count = 0

    def of(
        self, intervals: Iterable[LatencyDistribution], percents: tuple[float, ...]
    ) -> tuple[float | None, ...]:
        """Return nearest-rank percentiles in us, one for each of `percents`, which must ascend; None without a value.

        `intervals` are those that were put in: only they have the minimum and the maximum.
        """
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
    """Work of one role of one lane over the last `window_s` seconds.

    Performance: adding and dropping an interval costs as much as it has buckets, whatever the length of the window
    (45 us for a frame with 300 of them; timeit, CPython 3.11).
    """

    def __init__(self, window_s: float) -> None:
        self._kept: deque[tuple[float, RoleStats]] = deque()
        self._inside = 0
        self._now_s = 0.0
        self._window_s = window_s
        self._service = _Percentiles()
        self._response = _Percentiles()
        self._total = RunningTotal(RoleStats, distributions=False)

    def add(self, at_s: float, work: RoleStats) -> None:
        """Add the interval that ended at `at_s`.

        Intervals that ended before the window leave it. They are forgotten `KEPT_S` seconds after their end: until
        then a longer window can take them in again.
        """
        self._now_s = at_s
        self._kept.append((at_s, work))
        self._inside += 1
        self._put(work, 1)
        self._trim()
        while len(self._kept) > self._inside and self._kept[0][0] <= at_s - KEPT_S:
            self._kept.popleft()

    def resize(self, window_s: float) -> None:
        """Cover the last `window_s` seconds from now on. Intervals older than `KEPT_S` are no longer kept."""
        self._window_s = window_s
        self._service.clear()
        self._response.clear()
        self._total.clear()
        self._inside = 0
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
        if sign > 0:
            self._total.add(work)
        else:
            self._total.subtract(work)

    def _in_window(self) -> Iterator[tuple[float, RoleStats]]:
        return islice(self._kept, len(self._kept) - self._inside, None)

    @property
    def counts(self) -> RoleStats:
        """Return the sum of the intervals in the window, without their latencies."""
        return self._total.value()

    @property
    def rows(self) -> int:
        """Return the rows in the window."""
        return self.counts.rows

    @property
    def operations(self) -> int:
        """Return the operations in the window."""
        return self.counts.operations

    @property
    def rows_per_s(self) -> float:
        """Return rows in the window over the true length of its intervals."""
        counts = self.counts
        return _per_s(counts.rows, counts.interval_s)

    @property
    def operations_per_s(self) -> float:
        """Return operations in the window over the true length of its intervals."""
        counts = self.counts
        return _per_s(counts.operations, counts.interval_s)

    @property
    def scheduling_delay(self) -> SchedulingDelay:
        """Return the scheduling delay of telemon in the window."""
        return self.counts.scheduling_delay

    def rate_over(self, seconds: float) -> float:
        """Return rows per second over the intervals that ended at most `seconds` before the last added one.

        0.0 if there are none. The window does not limit them; intervals older than `KEPT_S` may be forgotten.
        """
        rows, length = 0, 0.0
        for at_s, work in reversed(self._kept):
            if at_s <= self._now_s - seconds + 1e-9:
                break
            rows += work.rows
            length += work.interval_s
        return rows / length if length > 0 else 0.0

    def percentiles_us(self, *percents: float) -> tuple[float | None, ...]:
        """Return the nearest-rank percentiles of the service times in us, one for each of `percents`.

        `percents` must ascend: otherwise the values are wrong, and nothing is raised. Each is None where the window has
        no value.
        """
        return self._service.of((work.service for _, work in self._in_window()), percents)

    def response_us(self, *percents: float) -> tuple[float | None, ...]:
        """Return percentiles of the response times as `percentiles_us` does; only an open loop has them."""
        responses = (work.response for _, work in self._in_window())
        return self._response.of((part for part in responses if part is not None), percents)


def _per_s(number: int, interval_s: float) -> float:
    # Adding and subtracting lengths leaves a rounding error, which is far below any interval.
    return number / interval_s if interval_s > 1e-6 else 0.0
