"""Deltas of several engine processes become one lane's frame. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engines.ipc.messages import IntervalReport
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import EMPTY, LatencyDistribution
from engines.metrics.stats import CacheStats, ClientStats, IntervalStats, RoleStats, is_lagging
from engines.model.roles import Role
from engines.wire.error_kinds import ENGINE_DIED

OVERLOADED_S = 1.0
"""A backlog worth more than this, in s of what is offered, is no stall but an overload."""


def merge_stats(parts: Sequence[IntervalStats], interval_s: float) -> IntervalStats:
    """Several counts as one over `interval_s`."""
    return IntervalStats(
        work=RoleStats.merged((part.work for part in parts), interval_s),
        cache=CacheStats.merged(part.cache for part in parts),
    )


def mean_interval_s(engines: Sequence[Sequence[IntervalStats]]) -> float:
    """The length of an interval that several engines each measured for themselves; an engine may have reported it in
    several parts, or not at all."""
    lengths = [sum(part.work.interval_s for part in parts) for parts in engines if parts]
    return sum(lengths) / len(lengths) if lengths else 0.0


def lane_frame(
    lane: str,
    state: LaneState,
    reports: Mapping[Role, Sequence[Sequence[IntervalReport]]],
    server: Mapping[str, int],
    deaths: Mapping[Role, int],
    rate_per_s: float | None = None,
    heat: int = 0,
) -> LaneFrame:
    """One lane in one interval, with `rate_per_s` operations per second offered to each role (None: a closed loop).

    `deltas` holds, by role, what each engine reported (none when it was late); `deaths`
    how many engines of a role have died in it."""
    counted = {role: _counted(engines, state) for role, engines in reports.items()}
    each_engine = [engine for engines in reports.values() for engine in engines]
    every = [report for engine in each_engine for report in engine]
    nothing = IntervalStats(RoleStats(), CacheStats())
    backlog = {
        str(role): sum(engine[-1].backlog for engine in engines if engine)
        for role, engines in reports.items()
    }
    write, read = counted.get("write", nothing), counted.get("read", nothing)
    return LaneFrame(
        lane=lane,
        state=state,
        write=_with_deaths(write.work, deaths.get("write", 0)),
        read=_with_deaths(read.work, deaths.get("read", 0)),
        cache=read.cache,
        backlog=backlog if rate_per_s is not None else {},
        late=sum(report.late for report in every),
        overloaded=rate_per_s is not None
        and max(backlog.values(), default=0) > rate_per_s * OVERLOADED_S,
        redirects=sum(report.redirects for report in every),
        reconnects=sum(report.reconnects for report in every),
        heat=heat,
        client=ClientStats(
            cpu_share=max((report.cpu_share for report in every), default=0.0),
            loop_lag=_worst(
                LatencyDistribution.merged(report.loop_lag for report in each)
                for each in each_engine
            ),
            cpu_loop_lag=_worst(
                LatencyDistribution.merged(report.cpu_loop_lag for report in each)
                for each in each_engine
            ),
        ),
        server=server,
    )


def _worst(lags: Iterable[LatencyDistribution]) -> LatencyDistribution:
    """The lag of the engine that is most to be distrusted. Thrown together with those of an engine that is woken far
    more often, the lags of a busy one would be among its slowest hundredth and never be seen."""
    return max(lags, key=lambda lag: (is_lagging(lag), lag.percentile_us(99)), default=EMPTY)


def early_part(report: IntervalReport) -> IntervalReport | None:
    """What a frame that shows the warm-up leaves to the next one: what `delta` measured, as its interval ended after
    measuring had begun. None where it measured nothing."""
    if report.measured.work.interval_s <= 0:
        return None
    return replace(
        report,
        warm=IntervalStats(RoleStats(), CacheStats()),
        cpu_share=0.0,
        loop_lag=EMPTY,
        cpu_loop_lag=EMPTY,
        redirects=0,
        reconnects=0,
        late=0,
        closed_connections=0,
        problem="",
        paused=False,
    )


def _counted(engines: Sequence[Sequence[IntervalReport]], state: LaneState) -> IntervalStats:
    parts = [
        [report.warm if state is LaneState.WARMING else report.measured for report in engine]
        for engine in engines
    ]
    return merge_stats([part for engine in parts for part in engine], mean_interval_s(parts))


def _with_deaths(work: RoleStats, deaths: int) -> RoleStats:
    return replace(work, errors={**work.errors, ENGINE_DIED: deaths}) if deaths else work
