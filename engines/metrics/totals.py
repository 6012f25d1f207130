"""Totals of what a lane did over a whole race or a part of it: sums of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.merge import RunningTotal
from engines.metrics.stats import CacheStats, ClientStats, RoleStats
from engines.model.roles import Role

UNMEASURED = (LaneState.STARTING, LaneState.WARMING)
"""States in which a lane's operations count for no result."""


class RoleTotals:
    """Sum of the work of one role of one lane; without latencies where `distributions` is false."""

    def __init__(self, *, distributions: bool = True) -> None:
        self._total = RunningTotal(RoleStats, distributions=distributions)

    def add(self, work: RoleStats, interval_s: float) -> None:
        """Count `work`, which took `interval_s` seconds."""
        self._total.add(
            work if interval_s == work.interval_s else replace(work, interval_s=interval_s)
        )

    @property
    def interval_s(self) -> float:
        """Return the measured time so far in s."""
        return self._total.number("interval_s")

    def work(self) -> RoleStats:
        """Return the sum so far as the work of one interval."""
        return self._total.value()


class LaneTotals:
    """Sum of what one lane did.

    `backlog` is that of the end, `backlog_max` by role the longest at the end of an interval. `measured_s` is the time
    in s for which an engine process of the lane reported.
    """

    def __init__(self) -> None:
        self.state = LaneState.STARTING
        self.answered_roles: frozenset[Role] = frozenset()
        """The roles that had a success, be it in the warm-up or before the totals were reset."""
        self.write = RoleTotals()
        self.read = RoleTotals()
        self.backlog: Mapping[str, int] = {}
        self.backlog_max: dict[str, int] = {}
        self.late = 0
        self.overloaded_s = 0.0
        self.redirects = 0
        self.reconnects = 0
        self.server: Mapping[str, int] = {}
        self.measured_s = 0.0
        self._cache = RunningTotal(CacheStats)
        self._client = RunningTotal(ClientStats)
        self._cpu_s = 0.0
        self._bound_s = 0.0

    def add(self, lane: LaneFrame, interval_s: float, measured: bool) -> None:
        """Add what the lane did in an interval of `interval_s` seconds.

        Without `measured`, or in one of the states `UNMEASURED`, only the state, the servers' counters and which roles
        had a success are kept; so too for a paused lane without operations. A lane that is down is charged the time
        of the interval, so that its rate falls; in heats, only the time of its own heats.
        """
        self.state = lane.state
        self.server = lane.server or self.server
        if len(self.answered_roles) < len(lane.roles):
            self.answered_roles |= {role for role, work in lane.roles if work.successes}
        if not measured or lane.state in UNMEASURED:
            return
        if lane.state is LaneState.PAUSED and not (lane.write.operations or lane.read.operations):
            return  # A pause that the user asked for lowers no rate.
        timed = lane.write.interval_s > 0 or lane.read.interval_s > 0
        # In heats a lane that is down loses the time of its own heats, not that of the others'.
        down = lane.state is LaneState.DOWN and (timed or not lane.heat)
        for total, work in ((self.write, lane.write), (self.read, lane.read)):
            # Engine processes that have ended measure no interval. The time counts all the same, so that the rate of a
            # lane that is down falls.
            total.add(work, interval_s if down and not work.interval_s else work.interval_s)
        self._cache.add(lane.cache)
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
            self._client.add(lane.client)

    @property
    def answered(self) -> bool:
        """Return whether an operation succeeded, be it in the warm-up."""
        return bool(self.answered_roles)

    @property
    def client(self) -> ClientStats:
        """Return the mean share of a core, weighted by time, and the loop lags of all intervals."""
        share = self._cpu_s / self.measured_s if self.measured_s else 0.0
        return self._client.value(cpu_share=share)

    @property
    def client_bound_share(self) -> float:
        """Return the share of the measured time in which the lane was client-bound, from 0 to 1."""
        return self._bound_s / self.measured_s if self.measured_s else 0.0

    def frame(self, lane: str) -> LaneFrame:
        """Return the totals as one interval of `lane`, with the backlog of the end."""
        return LaneFrame(
            lane=lane,
            state=self.state,
            write=self.write.work(),
            read=self.read.work(),
            cache=self._cache.value(),
            backlog=dict(self.backlog),
            late=self.late,
            overloaded=self.overloaded_s > 0,
            redirects=self.redirects,
            reconnects=self.reconnects,
            client=self.client,
            server=self.server,
        )


UNREPORTED = ClientStats()
"""Client stats of a frame in which no engine process of the lane reported: it was late, gone or idle."""
