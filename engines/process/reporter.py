"""Interval reports of an engine process."""

from __future__ import annotations

from dataclasses import replace
from time import process_time_ns

from engines.driver.reactor import Reactor
from engines.ipc.messages import IntervalReport
from engines.metrics.scheduling_delay import SchedstatReader, SchedulingDelay
from engines.metrics.stats import IntervalStats


class IntervalReporter:
    """Cuts the running statistics of a reactor into interval reports."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._cut_ns: int | None = None
        """When the last report ended; None before the run began."""
        self._cut_cpu_ns = 0
        self._redirects = 0
        self._reconnects = 0
        self._late = 0
        self._run_queue = SchedstatReader()

    def begin(self, at_ns: int) -> None:
        """Start an interval at `at_ns`; what is counted from now on belongs to it."""
        self._cut_ns, self._cut_cpu_ns = at_ns, process_time_ns()

    def begin_race(self, at_ns: int) -> None:
        """Start the first interval at `at_ns`, and discard loop lag and scheduling delay before it."""
        self.begin(at_ns)
        self._run_queue.take(0)
        self._reactor.loop_lag.take()
        self._reactor.cpu_loop_lag.take()

    def report(
        self,
        index: int,
        now_ns: int,
        *,
        problem: str,
        violation: str,
        paused: bool,
        held: bool,
        last: bool,
    ) -> IntervalReport:
        """Return the statistics up to `now_ns` as the report of interval `index`, and start the next interval.

        `problem` is why a connection is down, or empty; `violation` what came instead of a reply. `last` marks
        the final report of the process.
        """
        reactor = self._reactor
        cpu_ns = process_time_ns()
        if self._cut_ns is None:
            # A process that was stopped before the start has an interval of no length.
            self._cut_ns, self._cut_cpu_ns = now_ns, cpu_ns
        interval_ns = max(1, now_ns - self._cut_ns)
        # An interval in which measuring began is partly warm-up; time at the start barrier is
        # neither.
        measured_ns = 0 if held else max(0, now_ns - max(self._cut_ns, reactor.measure_from_ns))
        warm_ns = 0 if held else interval_ns - measured_ns
        paced = reactor.open_loop.arrivals is not None
        loop_lag = reactor.loop_lag.take()
        measured = reactor.measured.take(measured_ns / 1e9, paced=paced)
        warm = reactor.warm.take(warm_ns / 1e9, paced=paced)
        delay = self._run_queue.take(loop_lag.count)
        if warm_ns:
            warm = _with_delay(warm, delay)
        else:
            measured = _with_delay(measured, delay)
        report = IntervalReport(
            index=index,
            ended_ns=now_ns,
            measured=measured,
            warm=warm,
            cpu_share=(cpu_ns - self._cut_cpu_ns) / interval_ns,
            loop_lag=loop_lag,
            cpu_loop_lag=reactor.cpu_loop_lag.take(),
            redirects=reactor.redirects - self._redirects,
            reconnects=reactor.connections.reconnects - self._reconnects,
            closed_connections=len(reactor.connections.closed()),
            problem=problem,
            violation=violation,
            paused=paused,
            held=held,
            backlog=reactor.open_loop.backlog(),
            late=reactor.open_loop.late - self._late,
            last=last,
        )
        self._cut_ns, self._cut_cpu_ns = now_ns, cpu_ns
        self._redirects, self._reconnects = reactor.redirects, reactor.connections.reconnects
        self._late = reactor.open_loop.late
        return report


def _with_delay(stats: IntervalStats, delay: SchedulingDelay) -> IntervalStats:
    """Return `stats` with the scheduling delay `delay`."""
    return replace(stats, work=replace(stats.work, scheduling_delay=delay))
