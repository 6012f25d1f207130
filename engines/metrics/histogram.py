"""Latency histograms with log-linear buckets, recorded in engine processes, merged and read in the parent.

A bucket spans 1/128 of its power of two, so it is at most 0.79 % of its value wide from 128 ns up, and exact
below 256 ns. The scheme is that of k6's histogram (grafana/k6, internal/ds/histogram/hdr.go) with nanoseconds
as the unit, which keeps it below one percent at the few microseconds of a reply on loopback too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import compress
from math import ceil

SUB_BUCKET_BITS = 7
"""There are 2**7 buckets for each power of two. `Histogram.record` has this number inlined and must change with it."""

MAX_NS = (1 << 36) - 1
"""Largest value with a bucket of its own: 68.7 s. Larger values are clamped to it and counted as over."""


def bucket_index(value_ns: int) -> int:
    """Return the index of the bucket that counts `value_ns`, a value from 0 to `MAX_NS`."""
    shift = value_ns.bit_length() - SUB_BUCKET_BITS - 1
    if shift <= 0:
        return value_ns
    return (shift << SUB_BUCKET_BITS) + (value_ns >> shift)


def bucket_upper_ns(index: int) -> int:
    """Return the largest value in ns that `bucket_index` puts into bucket `index`."""
    shift = (index >> SUB_BUCKET_BITS) - 1
    if shift <= 0:
        return index
    return ((index - (shift << SUB_BUCKET_BITS) + 1) << shift) - 1


BUCKETS = bucket_index(MAX_NS) + 1


@dataclass(frozen=True, slots=True)
class LatencyDistribution:
    """Contents of a histogram when it was taken: immutable, mergeable, and small enough to send each interval.

    `buckets` holds (index, count) pairs in ascending order of index; `sum_ns`, `min_ns` and `max_ns` are exact and
    unclamped; `over` counts the values above `MAX_NS`.
    """

    buckets: tuple[tuple[int, int], ...] = ()
    count: int = 0
    sum_ns: int = 0
    min_ns: int = 0
    max_ns: int = 0
    over: int = 0

    @staticmethod
    def merged(parts: Iterable[LatencyDistribution]) -> LatencyDistribution:
        """Return several distributions as one, as if every value had been recorded in one histogram."""
        kept = [part for part in parts if part.count]
        if not kept:
            return EMPTY
        if len(kept) == 1:
            return kept[0]
        counts: dict[int, int] = {}
        for part in kept:
            for index, count in part.buckets:
                counts[index] = counts.get(index, 0) + count
        return LatencyDistribution(
            buckets=tuple(sorted(counts.items())),
            count=sum(part.count for part in kept),
            sum_ns=sum(part.sum_ns for part in kept),
            min_ns=min(part.min_ns for part in kept),
            max_ns=max(part.max_ns for part in kept),
            over=sum(part.over for part in kept),
        )

    def percentile_us(self, percent: float) -> float:
        """Return the value in us that `percent` percent (0 to 100) of the values do not exceed; 0.0 without values.

        Nearest rank; the bucket's upper bound, clipped to the true minimum and maximum, so that no percentile lies
        outside what was measured.
        """
        if not self.count:
            return 0.0
        # In decimals: in floats 99.9 % of 41,000 is a little above 40,959, and its ceiling one more.
        rank = max(1, ceil(Decimal(str(percent)) * self.count / 100))
        if rank >= self.count:
            return self.max_ns / 1000
        seen = 0
        for index, count in self.buckets:
            seen += count
            if seen >= rank:
                return min(max(bucket_upper_ns(index), self.min_ns), self.max_ns) / 1000
        return self.max_ns / 1000

    def above(self, value_us: float) -> int:
        """Return the number of values in buckets that reach above `value_us`."""
        value_ns = value_us * 1000
        return sum(count for index, count in self.buckets if bucket_upper_ns(index) > value_ns)

    @property
    def mean_us(self) -> float:
        """Return the exact mean in us; 0.0 when there are no values."""
        return self.sum_ns / self.count / 1000 if self.count else 0.0

    @property
    def min_us(self) -> float:
        """Return the exact minimum in us; 0.0 when there are no values."""
        return self.min_ns / 1000

    @property
    def max_us(self) -> float:
        """Return the exact maximum in us; 0.0 when there are no values."""
        return self.max_ns / 1000


EMPTY = LatencyDistribution()
"""Distribution without values."""


class Histogram:
    """Mutable histogram: one per role and outcome in an engine process, emptied by `take` once per interval.

    Counts are a list with a place for every bucket (30 KB).

    Performance: a `record` costs 0.15 us, with a dict of counts 0.23 us. A `take` looks only between the least and the
    greatest value: 50 us for 540 filled buckets, with a dict that must be sorted 140 us (timeit, CPython 3.11, less the
    loop around it).
    """

    __slots__ = ("_counts", "_max_ns", "_min_ns", "_over", "_sum_ns", "_top_ns")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._reset()

    def _reset(self) -> None:
        self._sum_ns = 0
        self._min_ns = _ABOVE_ALL_NS
        self._max_ns = -1
        self._top_ns = -1
        self._over = 0

    def record(self, value_ns: int) -> None:
        """Count one value in ns. Negative values (a clock cannot make them) count as 0."""
        if not self._min_ns <= value_ns <= self._top_ns:
            value_ns = self._widen(value_ns)
        self._sum_ns += value_ns
        # bucket_index, written out: a call costs as much as the rest of this method.
        shift = value_ns.bit_length() - 8
        self._counts[(shift << 7) + (value_ns >> shift) if shift > 0 else value_ns] += 1

    def record_all(self, values_ns: list[int]) -> None:
        """Count each of `values_ns` as `record` does.

        Performance: a value costs 0.19 us where there are eight, 0.21 us where there are four.
        """
        counts, least_ns, top_ns = self._counts, self._min_ns, self._top_ns
        self._sum_ns += sum(values_ns)
        for value_ns in values_ns:
            kept_ns = value_ns
            if not least_ns <= value_ns <= top_ns:
                kept_ns = self._widen(value_ns)
                self._sum_ns += kept_ns - value_ns
                least_ns, top_ns = self._min_ns, self._top_ns
            shift = kept_ns.bit_length() - 8
            counts[(shift << 7) + (kept_ns >> shift) if shift > 0 else kept_ns] += 1

    def _widen(self, value_ns: int) -> int:
        """Extend the range to a value outside of it, and return the value to count instead.

        Few values are outside of the range so far.
        """
        value_ns = max(value_ns, 0)
        self._min_ns = min(value_ns, self._min_ns)
        self._max_ns = max(value_ns, self._max_ns)
        self._top_ns = min(self._max_ns, MAX_NS)
        if value_ns > MAX_NS:
            self._over += 1
            self._sum_ns += value_ns - MAX_NS
            return MAX_NS
        return value_ns

    def take(self) -> LatencyDistribution:
        """Return what was recorded since the last take; the histogram is empty afterwards."""
        if self._max_ns < 0:
            return EMPTY
        first = bucket_index(min(self._min_ns, MAX_NS))
        end = bucket_index(self._top_ns) + 1
        counts = self._counts[first:end]
        taken = LatencyDistribution(
            buckets=tuple(
                zip(compress(range(first, end), counts), filter(None, counts), strict=True)
            ),
            count=sum(counts),
            sum_ns=self._sum_ns,
            min_ns=self._min_ns,
            max_ns=self._max_ns,
            over=self._over,
        )
        self._counts[first:end] = [0] * len(counts)
        self._reset()
        return taken


_ABOVE_ALL_NS = 1 << 62
"""Minimum of an empty histogram: 146 years, above every value."""


class DistributionSum:
    """Running sum of distributions.

    Its size and cost depend on the number of distinct buckets, not on how many distributions are added.
    `LatencyDistribution.merged` would sort and copy the whole sum for each.
    """

    __slots__ = ("_counts", "_max_ns", "_min_ns", "_over", "_sum_ns")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sum_ns = 0
        self._min_ns = -1
        self._max_ns = 0
        self._over = 0

    def add(self, part: LatencyDistribution) -> None:
        """Add every value of `part`."""
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

    def latencies(self) -> LatencyDistribution:
        """Return the sum so far; adding goes on afterwards."""
        if not self._counts:
            return EMPTY
        return LatencyDistribution(
            buckets=tuple(sorted(self._counts.items())),
            count=sum(self._counts.values()),
            sum_ns=self._sum_ns,
            min_ns=self._min_ns,
            max_ns=self._max_ns,
            over=self._over,
        )
