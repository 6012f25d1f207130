"""Frames by hand, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Iterable

from engines.ipc.messages import IntervalReport
from engines.metrics.frame import Frame, LaneFrame
from engines.metrics.histogram import EMPTY, Histogram, LatencyDistribution
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats
from engines.model.lanes import LaneInfo

MYSQL = LaneInfo(
    lane="mysql",
    title="MySQL",
    approach="write to MySQL, read from MySQL",
    product="MariaDB",
    version="10.11.6",
    durability="log flushed to disk at every commit",
)
CACHED = LaneInfo(
    lane="cached",
    title="MySQL + cache",
    approach="read through a lazy Redis cache",
    product="MariaDB + Redis as a cache",
    version="10.11.6 + 7.0.15",
    durability="log flushed to disk at every commit",
    notes=("a cold cache",),
)


def latencies(values_us: Iterable[float]) -> LatencyDistribution:
    histogram = Histogram()
    for value_us in values_us:
        histogram.record(round(value_us * 1000))
    return histogram.take()


def work(
    values_us: Iterable[float] = (),
    *,
    rows_each: int = 1,
    interval_s: float = 1.0,
    errors: dict[str, int] | None = None,
    response: LatencyDistribution | None = None,
    failures_us: Iterable[float] = (),
) -> RoleStats:
    kept = list(values_us)
    return RoleStats(
        operations=len(kept),
        rows=len(kept) * rows_each,
        service=latencies(kept),
        response=response,
        failures=latencies(failures_us),
        errors=errors or {},
        interval_s=interval_s,
    )


def report(
    measured: IntervalStats,
    warm: IntervalStats | None = None,
    *,
    index: int = 0,
    cpu_share: float = 0.1,
    redirects: int = 0,
    reconnects: int = 0,
) -> IntervalReport:
    """What one engine reports of an interval in which all went well."""
    return IntervalReport(
        index=index,
        ended_ns=0,
        measured=measured,
        warm=warm or IntervalStats(RoleStats(), CacheStats()),
        cpu_share=cpu_share,
        loop_lag=EMPTY,
        redirects=redirects,
        reconnects=reconnects,
        closed_connections=0,
        problem="",
        paused=False,
    )


def frame(seq: int, elapsed_s: float, *lanes: LaneFrame, interval_s: float = 1.0) -> Frame:
    """A frame of a race that began at 2022-08-23T09:00:00Z."""
    return Frame(
        seq=seq,
        at_utc_s=1_661_245_200.0 + (seq + 1) * interval_s,
        at_monotonic_s=1000.0 + (seq + 1) * interval_s,
        interval_s=interval_s,
        elapsed_s=elapsed_s,
        lanes=lanes,
    )
