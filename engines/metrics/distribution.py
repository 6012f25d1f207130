"""The running sum of many latency histograms."""

from __future__ import annotations

from engines.metrics.histogram import NONE, Latencies


class Distribution:
    """Adds up `Latencies` in place: what it costs and holds depends on the distinct buckets, not on how many are
    added. `Latencies.merged` would sort and copy the whole sum for each."""

    __slots__ = ("_counts", "_max_ns", "_min_ns", "_over", "_sum_ns")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sum_ns = 0
        self._min_ns = -1
        self._max_ns = 0
        self._over = 0

    def add(self, part: Latencies) -> None:
        """Count every value of `part` too."""
        if not part.count:
            return
        counts = self._counts
        for index, count in part.buckets:
            counts[index] = counts.get(index, 0) + count
        self._sum_ns += part.sum_ns
        self._over += part.over
        self._max_ns = max(self._max_ns, part.max_ns)
        if self._min_ns < 0 or part.min_ns < self._min_ns:
            self._min_ns = part.min_ns

    def latencies(self) -> Latencies:
        """The sum so far; adding goes on afterwards."""
        if not self._counts:
            return NONE
        return Latencies(
            buckets=tuple(sorted(self._counts.items())),
            count=sum(self._counts.values()),
            sum_ns=self._sum_ns,
            min_ns=self._min_ns,
            max_ns=self._max_ns,
            over=self._over,
        )
