"""What a lane did over a whole race, or over a part of it: the sum of its frames."""

from __future__ import annotations

from collections.abc import Mapping

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import DistributionSum
from engines.metrics.scheduling_delay import UNKNOWN, SchedulingDelay
from engines.metrics.stats import CacheStats, ClientStats, RoleStats

UNMEASURED = (LaneState.STARTING, LaneState.WARMING)


class RoleTotals:
    """One role of one lane."""

    def __init__(self) -> None:
        self.operations = 0
        self.rows = 0
        self.interval_s = 0.0
        self.errors: dict[str, int] = {}
        self.service = DistributionSum()
        self.failures = DistributionSum()
        self.response: DistributionSum | None = None
        self.scheduling_delay = UNKNOWN

    def add(self, work: RoleStats, interval_s: float) -> None:
        """Count `work`, done in `interval_s`."""
        self.operations += work.operations
        self.rows += work.rows
        self.interval_s += interval_s
        for kind, count in work.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        self.service.add(work.service)
        self.failures.add(work.failures)
        if work.response is not None:
            self.response = self.response or DistributionSum()
            self.response.add(work.response)
        self.scheduling_delay = SchedulingDelay.merged(
            (self.scheduling_delay, work.scheduling_delay)
        )

    def work(self) -> RoleStats:
        return RoleStats(
            operations=self.operations,
            rows=self.rows,
            service=self.service.latencies(),
            response=self.response.latencies() if self.response is not None else None,
            failures=self.failures.latencies(),
            errors=dict(self.errors),
            interval_s=self.interval_s,
            scheduling_delay=self.scheduling_delay,
        )


class LaneTotals:
    """One lane."""

    def __init__(self) -> None:
        self.state = LaneState.STARTING
        self.answered = False
        self.write = RoleTotals()
        self.read = RoleTotals()
        self.cache = CacheStats()
        self.backlog: Mapping[str, int] = {}
        self.backlog_max: dict[str, int] = {}
        """By role, the longest backlog at the end of an interval."""
        self.late = 0
        self.overloaded_s = 0.0
        self.redirects = 0
        self.reconnects = 0
        self.server: Mapping[str, int] = {}
        self.measured_s = 0.0
        """How long somebody reported on the lane."""
        self._cpu_s = 0.0
        self._bound_s = 0.0
        self._loop_lag = DistributionSum()
        self._cpu_loop_lag = DistributionSum()

    def add(self, lane: LaneFrame, interval_s: float, measured: bool) -> None:
        """Count what the lane did in an interval, or only note how it is when that is not `measured`."""
        self.state = lane.state
        self.server = lane.server or self.server
        self.answered = self.answered or bool(lane.write.operations or lane.read.operations)
        if not measured or lane.state in UNMEASURED:
            return
        if lane.state is LaneState.PAUSED and not (lane.write.operations or lane.read.operations):
            return  # told to rest: no rate is lowered by it
        timed = lane.write.interval_s > 0 or lane.read.interval_s > 0
        # In heats a lane that is down loses the time of its own heats, not that of the others'.
        down = lane.state is LaneState.DOWN and (timed or not lane.heat)
        for total, work in ((self.write, lane.write), (self.read, lane.read)):
            # Engines that are gone measure no interval, but time goes on: a lane that is down earns no rate for it.
            total.add(work, interval_s if down and not work.interval_s else work.interval_s)
        self.cache = CacheStats.merged((self.cache, lane.cache))
        self.redirects += lane.redirects
        self.reconnects += lane.reconnects
        if lane.backlog:
            if timed:
                self.backlog = lane.backlog
            for role, count in lane.backlog.items():
                self.backlog_max[role] = max(count, self.backlog_max.get(role, 0))
        self.late += lane.late
        self.overloaded_s += interval_s if lane.overloaded else 0.0
        if lane.client != UNREPORTED:
            self.measured_s += interval_s
            self._cpu_s += lane.client.cpu_share * interval_s
            self._bound_s += interval_s if lane.client.client_bound else 0.0
            self._loop_lag.add(lane.client.loop_lag)
            self._cpu_loop_lag.add(lane.client.cpu_loop_lag)

    @property
    def client(self) -> ClientStats:
        """Mean share of a core, weighted by time, and every loop lag."""
        share = self._cpu_s / self.measured_s if self.measured_s else 0.0
        return ClientStats(
            cpu_share=share,
            loop_lag=self._loop_lag.latencies(),
            cpu_loop_lag=self._cpu_loop_lag.latencies(),
        )

    @property
    def client_bound_share(self) -> float:
        """The share of the measured time in which the lane was client-bound, from 0 to 1."""
        return self._bound_s / self.measured_s if self.measured_s else 0.0

    def frame(self, lane: str) -> LaneFrame:
        """All of it as if it were one interval, at whose end the backlog is what it was in the end."""
        return LaneFrame(
            lane=lane,
            state=self.state,
            write=self.write.work(),
            read=self.read.work(),
            cache=self.cache,
            backlog=dict(self.backlog),
            late=self.late,
            overloaded=self.overloaded_s > 0,
            redirects=self.redirects,
            reconnects=self.reconnects,
            client=self.client,
            server=self.server,
        )


UNREPORTED = ClientStats()
"""What a frame holds when no engine of the lane had anything to say, because it was late, gone or at rest."""
