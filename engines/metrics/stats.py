"""The numbers of one interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engines.metrics.histogram import EMPTY, LatencyDistribution
from engines.metrics.scheduling_delay import UNKNOWN, SchedulingDelay

CLIENT_BOUND_CPU_SHARE = 0.85
"""Above this share of one core an engine process, not the server, may be what limits its lane."""


CLIENT_BOUND_LOOP_LAG_US = 1_000
"""Above this p99 of the loop lag, latencies say as much of the engine as of the server: it is client-bound where its
own work keeps replies waiting that long, and short of processors where it only waits for one."""


CLIENT_BOUND_REPLIES = 3
"""So many replies must have waited longer than that: the p99 of few is the longest of them, and may be chance."""


CONTENTION_DELAY_SHARE = 0.2
"""Above this share of the mean service time, what telemon waits for a processor is no detail of a latency."""


@dataclass(frozen=True, slots=True)
class RoleStats:
    """What one role (writers or readers) of a lane did in an interval.

    `operations` and `rows` count what was acknowledged. `service` is reply minus send, `response` reply minus due
    time (open loop only, else None), `failures` how long the failed operations took, `errors` how many there were
    of each kind. `interval_s` is the true length of the interval, as the engines measured it, and `processor_wait` is
    what telemon waited for a processor in it.
    """

    operations: int = 0
    rows: int = 0
    service: LatencyDistribution = EMPTY
    response: LatencyDistribution | None = None
    failures: LatencyDistribution = EMPTY
    errors: Mapping[str, int] = field(default_factory=dict)
    interval_s: float = 0.0
    scheduling_delay: SchedulingDelay = UNKNOWN

    @property
    def cpu_contention(self) -> bool:
        """Whether a good part of the service times is telemon's own wait for a processor."""
        wait_us = self.scheduling_delay.mean_us
        return wait_us is not None and wait_us > CONTENTION_DELAY_SHARE * self.service.mean_us > 0

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.interval_s if self.interval_s > 0 else 0.0

    @property
    def failed(self) -> int:
        """How many operations failed."""
        return sum(self.errors.values())

    @staticmethod
    def merged(parts: Iterable[RoleStats], interval_s: float) -> RoleStats:
        """The work of several engines, or of several intervals, as one over `interval_s`."""
        kept = tuple(parts)
        errors: dict[str, int] = {}
        for part in kept:
            for kind, count in part.errors.items():
                errors[kind] = errors.get(kind, 0) + count
        responses = [part.response for part in kept if part.response is not None]
        return RoleStats(
            operations=sum(part.operations for part in kept),
            rows=sum(part.rows for part in kept),
            service=LatencyDistribution.merged(part.service for part in kept),
            response=LatencyDistribution.merged(responses) if responses else None,
            failures=LatencyDistribution.merged(part.failures for part in kept),
            errors=errors,
            interval_s=interval_s,
            scheduling_delay=SchedulingDelay.merged(part.scheduling_delay for part in kept),
        )


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How reads were answered. hits + misses = reads in `cached` and `durable`; `mysql` has neither.

    `fills` counts the misses that were written to the cache, `duplicate_fills` those of them that another reader
    had begun to fill at the same time (a stampede); `skipped` counts ids that no back end knew.
    """

    hits: int = 0
    misses: int = 0
    fills: int = 0
    duplicate_fills: int = 0
    skipped: int = 0

    @property
    def hit_ratio(self) -> float | None:
        """Hits per read from 0 to 1; None before the first read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else None

    @staticmethod
    def merged(parts: Iterable[CacheStats]) -> CacheStats:
        kept = tuple(parts)
        return CacheStats(
            hits=sum(part.hits for part in kept),
            misses=sum(part.misses for part in kept),
            fills=sum(part.fills for part in kept),
            duplicate_fills=sum(part.duplicate_fills for part in kept),
            skipped=sum(part.skipped for part in kept),
        )


@dataclass(frozen=True, slots=True)
class ClientStats:
    """What telemon itself cost: the share of one core of the busiest engine process, and how long a reply may have been
    ready before the loop noticed it (the loop lag; nothing where the loop was waiting for it), in the engine process
    that kept them waiting most. `own_lag` is the part of that in which the loop was at work, sampled: the rest it
    waited for a processor."""

    cpu_share: float = 0.0
    loop_lag: LatencyDistribution = EMPTY
    cpu_loop_lag: LatencyDistribution = EMPTY

    @property
    def client_bound(self) -> bool:
        """Whether the lane may be limited by telemon and not by its servers."""
        return bool(self.limits)

    @property
    def bound_by(self) -> str:
        """All that makes the lane client-bound, in a line; empty where nothing does."""
        return " and ".join(self.limits)

    @property
    def limits(self) -> tuple[str, ...]:
        """What makes the lane client-bound, each with its value: "cpu 91 % of a core", "loop lag p99 2.1 ms"."""
        reasons = []
        if self.cpu_share > CLIENT_BOUND_CPU_SHARE:
            reasons.append(f"cpu {self.cpu_share:.0%} of a core".replace("%", " %"))
        if is_lagging(self.cpu_loop_lag):
            reasons.append(f"loop lag p99 {self.cpu_loop_lag.percentile_us(99) / 1000:.1f} ms")
        return tuple(reasons)

    @property
    def cpu_contention(self) -> bool:
        """Whether replies waited for an engine that itself waited for a processor: other processes had them."""
        return is_lagging(self.loop_lag) and not is_lagging(self.cpu_loop_lag)


def is_lagging(lag: LatencyDistribution) -> bool:
    """Whether latencies say as much of a loop with this lag as of its servers."""
    return (
        lag.percentile_us(99) > CLIENT_BOUND_LOOP_LAG_US
        and lag.above(CLIENT_BOUND_LOOP_LAG_US) >= CLIENT_BOUND_REPLIES
    )


@dataclass(frozen=True, slots=True)
class IntervalStats:
    """A taken tally: the work, and how the reads among it were answered."""

    work: RoleStats
    cache: CacheStats
