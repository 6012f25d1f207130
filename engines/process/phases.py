"""Phases of a run inside an engine process: warm-up, hold, measurement, drain."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

from engines.driver.open_loop import ArrivalSchedule
from engines.driver.reactor import Reactor
from engines.driver.timers import NEVER_NS
from engines.ipc.channel import Channel
from engines.ipc.messages import EngineSpec, HeatDone, StartMeasuring, StartRun
from engines.ipc.schedule import DRAIN_NS, Schedule
from engines.process.reporter import IntervalReporter


class RunPhases:
    """State machine of a run. It starts and stops operations and sends a report at the end of each interval.

    Times come from the race, on the monotonic clock of the machine; the reactor's timers drive all transitions.
    `problem` returns why a connection is down, `violation` what came instead of a reply since the last call.
    `finish` is called after the last operation.
    """

    def __init__(
        self,
        spec: EngineSpec,
        reactor: Reactor,
        channel: Channel,
        problem: Callable[[], str],
        violation: Callable[[], str],
        finish: Callable[[], None],
    ) -> None:
        self._spec = spec
        self._reactor = reactor
        self._channel = channel
        self._problem = problem
        self._violation = violation
        self._finish = finish
        self._reporter = IntervalReporter(reactor)
        self._rate_per_s = spec.rate_per_s
        self._schedule: Schedule | None = None
        self._index = 0
        self._suspended = False
        """Whether `suspend` has stopped operations that were being issued; `end_suspension` resumes them."""
        self._started = False
        self._held = False
        self._released = False
        self._ending_heat = False
        """Whether a heat has ended but its last operations are still in flight."""
        self._paused = False
        self._stopping = False
        self._drain_until_ns = 0
        """When operations in flight are given up at an end."""

    def start(self, message: StartRun) -> None:
        """Schedule the run described by `message`."""
        schedule = self._schedule = message.schedule
        self._reactor.measure_from_ns = NEVER_NS if message.held else schedule.measure_from_ns
        self._reactor.timers.at(schedule.start_ns, self._begin_run)
        if message.held and schedule.measure_from_ns > schedule.start_ns:
            self._reactor.timers.at(schedule.measure_from_ns, self._wait_for_release)
        elif message.held:
            self._wait_for_release()
        if schedule.stop_ns is not None:
            self._reactor.timers.at(schedule.stop_ns, self.stop)

    def _wait_for_release(self) -> None:
        """Hold at the start barrier after the warm-up, unless the release has arrived already."""
        if self._released:
            return
        self._held = True
        self._suspend_issuing()
        self._set_arrivals(perf_counter_ns())  # Discards the backlog of the warm-up.

    def start_measuring(self, message: StartMeasuring) -> None:
        """Leave the start barrier and measure as `message` says."""
        self._held, self._released = False, True
        self._reactor.measure_from_ns = message.measure_from_ns
        # Time at the start barrier belongs to no interval.
        self._reporter.begin(message.at_ns)
        if not self._paused:
            self._reactor.open_loop.resume()
        if self._rate_per_s is not None:
            self._set_arrivals_from(message.at_ns, message.measure_from_ns)
        if message.stop_ns is not None:
            self._reactor.timers.at(message.stop_ns, self.stop if message.final else self._end_heat)
        self._resume_issuing()

    def _end_heat(self) -> None:
        """Return to the start barrier once the operations in flight have completed."""
        self._ending_heat = True
        self._suspend_issuing()

        def heat_finished() -> None:
            self.report(perf_counter_ns())
            self._held, self._ending_heat = True, False
            self._set_arrivals(perf_counter_ns())
            self._channel.send(HeatDone())

        self._drain(heat_finished)

    def _begin_run(self) -> None:
        """Start to issue operations and to report intervals."""
        assert self._schedule is not None
        self._reporter.begin_race(self._schedule.start_ns)
        if self._rate_per_s is not None:
            self._set_arrivals_from(self._schedule.start_ns, self._schedule.measure_from_ns)
        self._next_interval()
        self._started = True
        self._resume_issuing()

    def _next_interval(self) -> None:
        """Set the timer for the end of the current interval."""
        assert self._schedule is not None
        self._reactor.timers.at(self._schedule.end_ns(self._index), self._end_interval)

    def _end_interval(self) -> None:
        """Time out slow operations, report the interval, and set the timer for the next one."""
        now_ns = perf_counter_ns()
        schedule = self._schedule
        assert schedule is not None
        self._reactor.time_out(now_ns)
        self._channel.flush()
        draining = self._stopping or (
            schedule.stop_ns is not None and schedule.end_ns(self._index) >= schedule.stop_ns
        )
        if draining:
            return
        if self._channel.flushed:
            self.report(now_ns)
        while schedule.end_ns(self._index) <= now_ns:
            self._index += 1
        self._next_interval()

    def report(self, now_ns: int, *, last: bool = False) -> None:
        """Send the statistics since the last report."""
        self._channel.send(
            self._reporter.report(
                self._index,
                now_ns,
                problem=self._problem(),
                violation=self._violation(),
                paused=self._paused,
                held=self._held,
                last=last,
            )
        )

    # ---------------------------------------------------------------- pauses and changes of load

    def pause(self) -> None:
        """Start no operation until `resume`; called when the user pauses."""
        self._paused = True
        self._suspend_issuing()

    def resume(self) -> None:
        """End a pause.

        The pause was requested by the user and is no stall of the servers, so nothing became due in it. Operations that
        were overdue before still are.
        """
        self._paused = False
        self._resume_issuing()

    def set_rate(self, per_s: float | None) -> None:
        """Run at `per_s` operations per second from now on, or as fast as possible (None)."""
        self._rate_per_s = per_s
        if not self._started or self._ending_heat or self._stopping:
            return  # The schedule starts with the run.
        if per_s is None or self._held or self._reactor.open_loop.arrivals is None:
            self._set_arrivals(perf_counter_ns())
        else:
            self._reactor.open_loop.change_rate(per_s)

    def suspend(self) -> None:
        """Start no operation until `end_suspension`."""
        self._suspended = self._suspended or self._reactor.issuing
        self._reactor.issuing = False

    def on_suspended(self) -> None:
        """Call when the operations in flight at `suspend` have completed.

        From here on the client causes the delay, so the arrival schedule is shifted by it. The time before was spent
        waiting for servers and still counts as lateness.
        """
        if self._suspended:
            self._reactor.open_loop.suspend(perf_counter_ns())

    def end_suspension(self) -> None:
        """Issue operations again after `suspend`."""
        self._suspended = False
        self._resume_issuing()

    def _set_arrivals_from(self, start_ns: int, measure_from_ns: int) -> None:
        """Follow the rate during a warm-up from `start_ns`, and start a new schedule at `measure_from_ns`.

        The backlog of the warm-up must not count as late in the measured time.
        """
        self._set_arrivals(start_ns)
        if measure_from_ns > start_ns:
            self._reactor.timers.at(
                measure_from_ns, lambda: self._restart_arrivals(measure_from_ns)
            )

    def _restart_arrivals(self, from_ns: int) -> None:
        """Start a new schedule at `from_ns`, unless the process is held."""
        if not self._held:  # Otherwise `start_measuring` starts the schedule.
            self._set_arrivals(from_ns)

    def _set_arrivals(self, from_ns: int) -> None:
        """Start a schedule of the current rate, with the first operation due at `from_ns`."""
        rate = self._rate_per_s
        spec = self._spec
        self._reactor.set_arrivals(
            None if rate is None else ArrivalSchedule(rate, from_ns, spec.process, spec.processes)
        )

    def _resume_issuing(self) -> None:
        """Start operations unless the run has not begun, is paused, held, or ending."""
        if self._started and not (
            self._stopping or self._paused or self._held or self._ending_heat
        ):
            self._reactor.open_loop.resume()
            self._reactor.begin_all()

    def _suspend_issuing(self) -> None:
        """Start no operation, and let none become due."""
        self._reactor.issuing = False
        self._reactor.open_loop.suspend(perf_counter_ns())

    # ---------------------------------------------------------------- the end

    def stop(self, within_ns: int = DRAIN_NS) -> None:
        """Start no further operation, and finish once those in flight have completed, at the latest after `within_ns`.

        Of several calls the one that allows the least time counts.
        """
        deadline_ns = perf_counter_ns() + within_ns
        if self._stopping:
            self._drain_until_ns = min(self._drain_until_ns, deadline_ns)
            return
        self._stopping = True
        self._suspend_issuing()
        self._drain(self._finish, within_ns)

    def _drain(self, drained: Callable[[], None], within_ns: int = DRAIN_NS) -> None:
        """Call `drained` once no operation is in flight, at the latest after `within_ns`; then fail the rest."""
        self._drain_until_ns = perf_counter_ns() + within_ns

        def drain() -> None:
            if self._reactor.busy() and perf_counter_ns() < self._drain_until_ns:
                self._reactor.after_ns(1_000_000, drain)
                return
            self._reactor.fail_in_flight("unfinished", final=self._stopping)
            drained()

        drain()
