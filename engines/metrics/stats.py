"""Numbers of one interval. Each field declares how it merges; see `engines.metrics.merge`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.metrics.histogram import EMPTY, LatencyDistribution
from engines.metrics.merge import (
    COUNTER,
    COUNTS_BY_KIND,
    DISTRIBUTION,
    GIVEN,
    OPTIONAL_DISTRIBUTION,
    SECONDS,
    nested,
)
from engines.metrics.scheduling_delay import SchedulingDelay

CLIENT_BOUND_CPU_SHARE = 0.85
"""A lane is client-bound if an engine process uses more than this share of one core.

A lower value calls lanes client-bound that their servers limit.
"""


CLIENT_BOUND_LOOP_LAG_US = 1_000
"""p99 of the loop lag in us above which latencies describe the engine process as much as the server.

The lane is client-bound if the engine process's own work causes the lag. It has CPU contention if the engine process
only waits for a processor.
"""


CLIENT_BOUND_REPLIES = 3
"""Least number of replies that must have waited longer than `CLIENT_BOUND_LOOP_LAG_US`.

With fewer, the p99 is a single longest wait, which may be chance.
"""


CONTENTION_DELAY_SHARE = 0.2
"""Share of the mean service time above which the scheduling delay counts as CPU contention."""


@dataclass(frozen=True, slots=True)
class RoleStats:
    """Work of one role (writers or readers) of a lane in an interval.

    `operations` and `rows` count what was acknowledged. `service` is reply minus send. `response` is reply minus due
    time; it is None in a closed loop. `failures` holds the durations of the failed operations, `errors` their number
    by kind. `interval_s` is the true length of the interval in s, as the engine processes measured it.
    `scheduling_delay` is the time in which they were ready to run and waited for a processor. `wrong_content` counts
    the operations whose reply was no row of the car asked for, which are neither rows nor hits.
    """

    operations: int = field(default=0, metadata=COUNTER)
    rows: int = field(default=0, metadata=COUNTER)
    service: LatencyDistribution = field(default=EMPTY, metadata=DISTRIBUTION)
    response: LatencyDistribution | None = field(default=None, metadata=OPTIONAL_DISTRIBUTION)
    failures: LatencyDistribution = field(default=EMPTY, metadata=DISTRIBUTION)
    errors: Mapping[str, int] = field(default_factory=dict, metadata=COUNTS_BY_KIND)
    interval_s: float = field(default=0.0, metadata=SECONDS)
    scheduling_delay: SchedulingDelay = field(
        default_factory=SchedulingDelay, metadata=nested(SchedulingDelay)
    )
    wrong_content: int = field(default=0, metadata=COUNTER)

    @property
    def cpu_contention(self) -> bool:
        """Return whether the scheduling delay is a good part of the mean service time."""
        wait_us = self.scheduling_delay.mean_us
        return wait_us is not None and wait_us > CONTENTION_DELAY_SHARE * self.service.mean_us > 0

    @property
    def rows_per_s(self) -> float:
        """Return rows per second of the interval; 0.0 for an interval without length."""
        return self.rows / self.interval_s if self.interval_s > 0 else 0.0

    @property
    def successes(self) -> int:
        """Return the number of acknowledged operations that brought what was asked for."""
        return self.operations - self.wrong_content

    @property
    def failed(self) -> int:
        """Return the number of failed operations."""
        return sum(self.errors.values())


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Counts of how reads were answered.

    In `cached` and `durable`, hits + misses = reads, apart from those with wrong content; `mysql` has neither. `fills`
    counts the misses that were written to the cache. `duplicate_fills` counts those fills that another reader had begun
    at the same time (a stampede). `skipped` counts ids that no back end had.
    """

    hits: int = field(default=0, metadata=COUNTER)
    misses: int = field(default=0, metadata=COUNTER)
    fills: int = field(default=0, metadata=COUNTER)
    duplicate_fills: int = field(default=0, metadata=COUNTER)
    skipped: int = field(default=0, metadata=COUNTER)

    @property
    def hit_ratio(self) -> float | None:
        """Return hits per read from 0 to 1; None before the first read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else None


@dataclass(frozen=True, slots=True)
class ClientStats:
    """Cost of telemon itself in one lane.

    `cpu_share` is the share of one core that the busiest engine process uses. `loop_lag` is how long replies may have
    been ready before the event loop noticed them, in the engine process in which they waited longest; an event loop
    that waited for the reply has no lag. `cpu_loop_lag` is the sampled part of it in which the event loop was at work;
    in the rest it waited for a processor.

    How these merge depends on what is merged: `engines.race.aggregate` takes the worst of several engine processes,
    `engines.metrics.totals` the whole of several intervals. So `merge` must be given the share of a core.
    """

    cpu_share: float = field(default=0.0, metadata=GIVEN)
    loop_lag: LatencyDistribution = field(default=EMPTY, metadata=DISTRIBUTION)
    cpu_loop_lag: LatencyDistribution = field(default=EMPTY, metadata=DISTRIBUTION)

    @property
    def loop_lag_p99_us(self) -> float:
        """Return the p99 of the loop lag in us; 0.0 where there was none."""
        return lag_p99_us(self.loop_lag)

    @property
    def cpu_loop_lag_p99_us(self) -> float:
        """Return the p99 of the CPU-only loop lag in us; 0.0 where there was none."""
        return lag_p99_us(self.cpu_loop_lag)

    @property
    def client_bound(self) -> bool:
        """Return whether the lane may be limited by telemon and not by its servers."""
        return bool(self.limits)

    @property
    def bound_by(self) -> str:
        """Return in one line why the lane is client-bound; empty where it is not."""
        return " and ".join(self.limits)

    @property
    def limits(self) -> tuple[str, ...]:
        """Return each reason why the lane is client-bound: "cpu 91 % of a core", "loop lag p99 2.1 ms"."""
        reasons = []
        if self.cpu_share > CLIENT_BOUND_CPU_SHARE:
            reasons.append(f"cpu {self.cpu_share:.0%} of a core".replace("%", " %"))
        if is_lagging(self.cpu_loop_lag):
            reasons.append(f"loop lag p99 {self.cpu_loop_lag_p99_us / 1000:.1f} ms")
        return tuple(reasons)

    @property
    def cpu_contention(self) -> bool:
        """Return whether replies waited for an engine process that itself waited for a processor."""
        return is_lagging(self.loop_lag) and not is_lagging(self.cpu_loop_lag)


def lag_p99_us(lag: LatencyDistribution) -> float:
    """Return the p99 of a loop lag in us, by which engine processes are judged; 0.0 where there was none."""
    return lag.percentile_us(99)


def is_lagging(lag: LatencyDistribution) -> bool:
    """Return whether an event loop with this lag distorts the latencies that it measures."""
    return (
        lag_p99_us(lag) > CLIENT_BOUND_LOOP_LAG_US
        and lag.above(CLIENT_BOUND_LOOP_LAG_US) >= CLIENT_BOUND_REPLIES
    )


@dataclass(frozen=True, slots=True)
class IntervalStats:
    """Work of one role in an interval, and how the reads among it were answered."""

    work: RoleStats = field(default_factory=RoleStats, metadata=nested(RoleStats))
    cache: CacheStats = field(default_factory=CacheStats, metadata=nested(CacheStats))
