"""Merging of the reports of several engine processes into one lane's frame. Without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engines.ipc.messages import IntervalReport
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import EMPTY, LatencyDistribution
from engines.metrics.merge import merge
from engines.metrics.stats import ClientStats, IntervalStats, RoleStats, is_lagging, lag_p99_us
from engines.model.roles import Role
from engines.wire.error_kinds import ENGINE_DIED

OVERLOADED_S = 1.0
"""Backlog in s of offered load above which a lane is overloaded. A lower value calls a short stall an overload."""


def merge_stats(parts: Sequence[IntervalStats], interval_s: float) -> IntervalStats:
    """Return several stats as one over `interval_s` seconds."""
    work = merge(RoleStats, (part.work for part in parts), interval_s=interval_s)
    return merge(IntervalStats, parts, work=work)


def mean_interval_s(engines: Sequence[Sequence[IntervalStats]]) -> float:
    """Return the mean length in s of an interval that several engine processes measured, each on its own.

    An engine process may have reported it in several parts, or not at all.
    """
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
    """Return one lane's frame of one interval.

    `reports` holds, by role, for each engine process the list of its reports, which is empty if none arrived. `server`
    holds the servers' own counters. `deaths` counts by role the engine processes that ended unasked in the interval.
    `rate_per_s` is the number of operations per second offered to each role; None in a closed loop. `heat` is the
    lane's round of heats, 0 without heats.
    """
    counted = {role: _counted(engines, state) for role, engines in reports.items()}
    each_engine = [engine for engines in reports.values() for engine in engines]
    every = [report for engine in each_engine for report in engine]
    clients = [_client(engine) for engine in each_engine]
    nothing = IntervalStats()
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
            cpu_share=max((engine.cpu_share for engine in clients), default=0.0),
            loop_lag=_worst(engine.loop_lag for engine in clients),
            cpu_loop_lag=_worst(engine.cpu_loop_lag for engine in clients),
        ),
        server=server,
    )


def _client(reports: Sequence[IntervalReport]) -> ClientStats:
    """Return what one engine process cost in an interval that it reported in parts."""
    parts = [ClientStats(each.cpu_share, each.loop_lag, each.cpu_loop_lag) for each in reports]
    return merge(ClientStats, parts, cpu_share=max((each.cpu_share for each in parts), default=0.0))


def _worst(lags: Iterable[LatencyDistribution]) -> LatencyDistribution:
    """Return the lag of the engine process that distorts its latencies most.

    The lags are not merged: an idle engine process wakes far more often, and a busy one's lags would be among the
    slowest hundredth of all.
    """
    return max(lags, key=lambda lag: (is_lagging(lag), lag_p99_us(lag)), default=EMPTY)


def early_part(report: IntervalReport) -> IntervalReport | None:
    """Return the part of `report` that a warm-up frame does not show and that the next frame must show.

    It is what was measured in an interval that ended after measuring had begun. Return None if nothing was.
    """
    if report.measured.work.interval_s <= 0:
        return None
    return replace(
        report,
        warm=IntervalStats(),
        cpu_share=0.0,
        loop_lag=EMPTY,
        cpu_loop_lag=EMPTY,
        redirects=0,
        reconnects=0,
        late=0,
        closed_connections=0,
        problem="",
        violation="",
        paused=False,
    )


def _counted(engines: Sequence[Sequence[IntervalReport]], state: LaneState) -> IntervalStats:
    """Return the stats of one role: those of the warm-up while it lasts, else those that are measured."""
    parts = [
        [report.warm if state is LaneState.WARMING else report.measured for report in engine]
        for engine in engines
    ]
    return merge_stats([part for engine in parts for part in engine], mean_interval_s(parts))


def _with_deaths(work: RoleStats, deaths: int) -> RoleStats:
    return replace(work, errors={**work.errors, ENGINE_DIED: deaths}) if deaths else work
