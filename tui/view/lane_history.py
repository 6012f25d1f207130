"""History of one lane, as far as the screen needs it."""

from __future__ import annotations

from collections import deque

from engines.metrics.figures import BRIEF_PERCENTILES, percentile_us
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.merge import merge
from engines.metrics.stats import CacheStats
from engines.metrics.totals import UNMEASURED, RoleTotals
from engines.metrics.window import SlidingWindow
from tui.view.axis import Axes
from tui.view.chart_series import ChartSeries
from tui.view.client_bound import ClientBoundPeriod
from tui.view.view import LaneView, RoleView


class LaneHistory:
    """Windows, totals and chart series of one lane.

    In `heats` the lane shows its last heat as a whole, also while other lanes run theirs.
    """

    def __init__(self, lane: str, window_s: float, *, heats: bool = False) -> None:
        self.frame = LaneFrame(lane, LaneState.STARTING)
        self.windows = {"write": SlidingWindow(window_s), "read": SlidingWindow(window_s)}
        self.series = ChartSeries()
        self.axes = Axes()
        self._client_bound_period = ClientBoundPeriod()
        self._heats = heats
        self._idle = False
        self._warm = False
        self._recent: deque[tuple[float, CacheStats]] = deque()
        self._cache = CacheStats()
        self._late = self._redirects = self._reconnects = 0
        self.forget()

    def add(self, at_s: float, frame: LaneFrame) -> bool:
        """Add the lane's frame of the interval that ended at `at_s` on the monotonic clock.

        Return whether the lane became client-bound in it.
        """
        before, self.frame = self.frame, frame
        timed = frame.write.interval_s > 0 or frame.read.interval_s > 0
        if self._heats:
            self._idle = not timed and frame.state in (LaneState.STARTING, LaneState.DONE)
            if self._idle:
                self._client_bound_period.end()
                if not self._measured:
                    # The warm-up of the connections belongs to no heat.
                    self.series.clear()
                    self._recent.clear()
                return False
            if frame.heat != before.heat:
                self.series.clear()
        elif frame.state is LaneState.STARTING:
            # Held at the start barrier: what the lane did in its warm-up does not count.
            self._warm = self._warm or before.state is not LaneState.STARTING
            self.forget()
            self.series.clear()
            self._client_bound_period.end()
            return False
        elif frame.state is LaneState.DONE is before.state:
            # Lanes that were released later still race. This one keeps the figures of its end; only its chart goes on.
            self._client_bound_period.end()
            self.series.add(at_s, frame)
            return False
        if before.state in UNMEASURED and frame.state not in UNMEASURED:
            # The frames before were warm-up or the previous heat. They were shown, but must not be counted.
            self.forget()
            self._client_bound_period.end()
        begins = self._client_bound_period.add(at_s, frame.client.limits)
        self.windows["write"].add(at_s, frame.write)
        self.windows["read"].add(at_s, frame.read)
        self.series.add(at_s, frame)
        self._recent.append((at_s, frame.cache))
        while self._recent and self._recent[0][0] <= at_s - 1.0:
            self._recent.popleft()
        if frame.state in UNMEASURED:
            return False
        for role, work in (("write", frame.write), ("read", frame.read)):
            self._totals[role].add(work, work.interval_s)
        self._cache = merge(CacheStats, (self._cache, frame.cache))
        self._late += frame.late
        self._redirects += frame.redirects
        self._reconnects += frame.reconnects
        return begins

    def forget(self) -> None:
        """Reset all counts. The chart series keeps its past, which stays true."""
        for window in self.windows.values():
            window.clear()
        # Only a heat is shown whole, with percentiles of all of it.
        self._totals = {role: RoleTotals(distributions=self._heats) for role in self.windows}
        self._cache = CacheStats()
        self._recent.clear()
        self._late = self._redirects = self._reconnects = 0

    def view(self, points: int) -> LaneView:
        """Return the lane as the screen shows it, with axes for the last `points` of its chart series."""
        frame, client = self.frame, self.frame.client
        return LaneView(
            lane=frame.lane,
            state=frame.state,
            write=self._role("write"),
            read=self._role("read"),
            cache=self._cache,
            hit_ratio=merge(CacheStats, (cache for _, cache in self._recent)).hit_ratio,
            paced=bool(frame.backlog),
            late=self._late,
            overloaded=frame.overloaded,
            redirects=self._redirects,
            reconnects=self._reconnects,
            waiting=self._waiting,
            comparable=self._measured if self._heats else not self._waiting,
            cpu_share=client.cpu_share,
            loop_lag_p99_us=client.loop_lag_p99_us,
            client_bound_by=self._client_bound_period.limits,
            points=self.series.points,
            axis=self.axes.fit([self.series.points], points),
        )

    @property
    def _waiting(self) -> bool:
        return (self._heats or self._warm) and self.frame.state is LaneState.STARTING

    @property
    def _measured(self) -> bool:
        return any(total.interval_s > 0 for total in self._totals.values())

    def _role(self, role: str) -> RoleView:
        if self._heats and self._idle and not self._measured:
            return RoleView()
        window, total = self.windows[role], self._totals[role].work()
        rows_per_s, window_rows_per_s = window.rate_over(1.0), window.rows_per_s
        p50_us, p99_us = window.percentiles_us(*BRIEF_PERCENTILES)
        response_p50_us, response_p99_us = window.response_us(*BRIEF_PERCENTILES)
        wait = window.scheduling_delay
        if self._heats and self._measured:
            window_rows_per_s = total.rows_per_s
            if self._idle or self.frame.state is LaneState.DONE:
                rows_per_s = total.rows_per_s
            p50_us, p99_us = _percentiles_us(total.service)
            response_p50_us, response_p99_us = _percentiles_us(total.response)
            wait = total.scheduling_delay
        paced = bool(self.frame.backlog)
        return RoleView(
            rows_per_s=rows_per_s,
            window_rows_per_s=window_rows_per_s,
            operations_per_s=window.operations_per_s,
            p50_us=p50_us,
            p99_us=p99_us,
            response_p50_us=response_p50_us if paced else None,
            response_p99_us=response_p99_us if paced else None,
            scheduling_delay_us=wait.mean_us,
            backlog=self.frame.backlog.get(role, 0),
            rows=total.rows,
            operations=total.operations,
            failed=total.failed,
            errors=total.errors,
        )


def _percentiles_us(latencies: LatencyDistribution | None) -> list[float | None]:
    return [percentile_us(latencies, percent) for percent in BRIEF_PERCENTILES]
