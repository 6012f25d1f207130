"""What a lane did so far, as far as the screen needs it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import CacheStats, RoleStats
from engines.metrics.totals import UNMEASURED, RoleTotals
from engines.metrics.window import SlidingWindow
from tui.view.axis import Axes
from tui.view.chart_series import ChartSeries
from tui.view.client_bound import ClientBoundPeriod
from tui.view.view import LaneView, RoleView


@dataclass
class _RoleTotals:
    rows: int = 0
    operations: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, work: RoleStats) -> None:
        self.rows += work.rows
        self.operations += work.operations
        for kind, count in work.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count


class LaneHistory:
    """Windows, totals and trail of one lane. In `heats` the lane has turns of its own: what it shows of the past is
    its last heat, whole, also while the others have theirs."""

    def __init__(self, lane: str, window_s: float, *, heats: bool = False) -> None:
        self.frame = LaneFrame(lane, LaneState.STARTING)
        self.windows = {"write": SlidingWindow(window_s), "read": SlidingWindow(window_s)}
        self.series = ChartSeries()
        self.axes = Axes()
        self._client_bound_period = ClientBoundPeriod()
        self._heats = heats
        self._resting = False
        self._warm = False
        self._recent: deque[tuple[float, CacheStats]] = deque()
        self._cache = CacheStats()
        self._late = self._redirects = self._reconnects = 0
        self.forget()

    def add(self, at_s: float, frame: LaneFrame) -> bool:
        """Take in what the lane did in the interval that ended at `at_s` on the monotonic clock; whether it became
        client-bound in it."""
        before, self.frame = self.frame, frame
        timed = frame.write.interval_s > 0 or frame.read.interval_s > 0
        if self._heats:
            self._resting = not timed and frame.state in (LaneState.STARTING, LaneState.DONE)
            if self._resting:
                self._client_bound_period.end()
                if not self._measured:
                    # What connections did to be warm is none of a heat's.
                    self.series.clear()
                    self._recent.clear()
                return False
            if frame.heat != before.heat:
                self.series.clear()
        elif frame.state is LaneState.STARTING:
            # Back at the start line, warm: what it did to get there is no race.
            self._warm = self._warm or before.state is not LaneState.STARTING
            self.forget()
            self.series.clear()
            self._client_bound_period.end()
            return False
        elif frame.state is LaneState.DONE is before.state:
            # Others, released later, race on: it stands as it was at its end. Only its chart goes on beside theirs.
            self._client_bound_period.end()
            self.series.add(at_s, frame)
            return False
        if before.state in UNMEASURED and frame.state not in UNMEASURED:
            # What came before was warm-up, or the heat before: shown while it lasted, counted nowhere.
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
        for role, work in frame.roles:
            self._totals[role].add(work)
            if self._heats:
                self._heat_totals[role].add(work, work.interval_s)
        self._cache = CacheStats.merged((self._cache, frame.cache))
        self._late += frame.late
        self._redirects += frame.redirects
        self._reconnects += frame.reconnects
        return begins

    def forget(self) -> None:
        """Count from zero. The trail keeps its past: it is still true."""
        for window in self.windows.values():
            window.clear()
        self._totals = {"write": _RoleTotals(), "read": _RoleTotals()}
        self._heat_totals = {"write": RoleTotals(), "read": RoleTotals()}
        self._cache = CacheStats()
        self._recent.clear()
        self._late = self._redirects = self._reconnects = 0

    def view(self, points: int) -> LaneView:
        """How the lane is, with axes of its own for the last `points` of its trail."""
        frame, client = self.frame, self.frame.client
        return LaneView(
            lane=frame.lane,
            state=frame.state,
            write=self._role("write"),
            read=self._role("read"),
            cache=self._cache,
            hit_ratio=CacheStats.merged(cache for _, cache in self._recent).hit_ratio,
            paced=bool(frame.backlog),
            late=self._late,
            overloaded=frame.overloaded,
            redirects=self._redirects,
            reconnects=self._reconnects,
            waiting=self._waiting,
            comparable=self._measured if self._heats else not self._waiting,
            cpu_share=client.cpu_share,
            loop_lag_p99_us=client.loop_lag.percentile_us(99),
            client_bound_by=self._client_bound_period.limits,
            points=self.series.points,
            axis=self.axes.fit([self.series.points], points),
        )

    @property
    def _waiting(self) -> bool:
        return (self._heats or self._warm) and self.frame.state is LaneState.STARTING

    @property
    def _measured(self) -> bool:
        return any(total.interval_s > 0 for total in self._heat_totals.values())

    def _role(self, role: str) -> RoleView:
        if self._heats and self._resting and not self._measured:
            return RoleView()
        window, totals = self.windows[role], self._totals[role]
        rows_per_s, window_rows_per_s = window.rate_over(1.0), window.rows_per_s
        p50_us, p99_us = window.percentiles_us(50, 99)
        response_p50_us, response_p99_us = window.response_us(50, 99)
        wait = window.scheduling_delay
        if self._heats and self._measured:
            work = self._heat_totals[role].work()
            window_rows_per_s = work.rows_per_s
            if self._resting or self.frame.state is LaneState.DONE:
                rows_per_s = work.rows_per_s
            p50_us, p99_us = _percentiles_us(work.service)
            response_p50_us, response_p99_us = _percentiles_us(work.response)
            wait = work.scheduling_delay
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
            rows=totals.rows,
            operations=totals.operations,
            failed=sum(totals.errors.values()),
            errors=dict(totals.errors),
        )


def _percentiles_us(latencies: LatencyDistribution | None) -> tuple[float | None, float | None]:
    if latencies is None or not latencies.count:
        return None, None
    return latencies.percentile_us(50), latencies.percentile_us(99)
