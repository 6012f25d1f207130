"""Where an engine process is in its race."""

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
    """Lets operations begin when the race is on, and reports at the end of each interval.

    Times come from the race, on the machine-wide clock; the reactor's timers run all of it. `trouble` says why a
    connection is down; `finish` is called once the last operation is over.
    """

    def __init__(
        self,
        spec: EngineSpec,
        reactor: Reactor,
        channel: Channel,
        problem: Callable[[], str],
        finish: Callable[[], None],
    ) -> None:
        self._spec = spec
        self._reactor = reactor
        self._channel = channel
        self._problem = problem
        self._finish = finish
        self._reporter = IntervalReporter(reactor)
        self._rate_per_s = spec.rate_per_s
        self._schedule: Schedule | None = None
        self._index = 0
        self._suspended = False
        """Whether operations that would flow wait for `go_on`."""
        self._started = False
        self._held = False
        self._released = False
        self._ending_heat = False
        """Whether a heat is over and its last operations are not."""
        self._paused = False
        self._stopping = False

    def start(self, message: StartRun) -> None:
        """Race as `go` says."""
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
        """Wait at the start line, warm; unless the word to leave it was there first."""
        if self._released:
            return
        self._held = True
        self._suspend_issuing()
        self._set_arrivals(perf_counter_ns())  # What the warm-up could not do in time is forgotten.

    def start_measuring(self, message: StartMeasuring) -> None:
        """Leave the start line."""
        self._held, self._released = False, True
        self._reactor.measure_from_ns = message.measure_from_ns
        # The time at the start line is no part of the interval.
        self._reporter.begin(message.at_ns)
        if not self._paused:
            self._reactor.open_loop.resume()
        if self._rate_per_s is not None:
            self._set_arrivals_from(message.at_ns, message.measure_from_ns)
        if message.stop_ns is not None:
            self._reactor.timers.at(message.stop_ns, self.stop if message.final else self._end_heat)
        self._resume_issuing()

    def _end_heat(self) -> None:
        """Go back to the start line, once the operations under way are over."""
        self._ending_heat = True
        self._suspend_issuing()

        def heat_finished() -> None:
            self.report(perf_counter_ns())
            self._held, self._ending_heat = True, False
            self._set_arrivals(perf_counter_ns())
            self._channel.send(HeatDone())

        self._drain(heat_finished)

    def _begin_run(self) -> None:
        assert self._schedule is not None
        self._reporter.begin_race(self._schedule.start_ns)
        if self._rate_per_s is not None:
            self._set_arrivals_from(self._schedule.start_ns, self._schedule.measure_from_ns)
        self._next_interval()
        self._started = True
        self._resume_issuing()

    def _next_interval(self) -> None:
        assert self._schedule is not None
        self._reactor.timers.at(self._schedule.end_ns(self._index), self._end_interval)

    def _end_interval(self) -> None:
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
        """Say what was done since the last report."""
        self._channel.send(
            self._reporter.report(
                self._index,
                now_ns,
                problem=self._problem(),
                paused=self._paused,
                held=self._held,
                last=last,
            )
        )

    # ---------------------------------------------------------------- in between

    def pause(self) -> None:
        """Begin no operation until `resume`."""
        self._paused = True
        self._suspend_issuing()

    def resume(self) -> None:
        """End a pause. It was the user's, and no stall of the servers: nothing became due in it. What was overdue
        before still is."""
        self._paused = False
        self._resume_issuing()

    def set_rate(self, per_s: float | None) -> None:
        """Race at that rate from now on; None: as fast as it goes."""
        self._rate_per_s = per_s
        if not self._started or self._ending_heat or self._stopping:
            return  # The pace begins where racing does.
        if per_s is None or self._held or self._reactor.open_loop.arrivals is None:
            self._set_arrivals(perf_counter_ns())
        else:
            self._reactor.open_loop.change_rate(per_s)

    def suspend(self) -> None:
        """Begin no operation until `go_on`."""
        self._suspended = self._suspended or self._reactor.issuing
        self._reactor.issuing = False

    def on_suspended(self) -> None:
        """The operations that were under way at a halt are over, and from now on it is telemon alone that keeps the
        others waiting, which is left out of the pace. The wait before was for the servers, and is not."""
        if self._suspended:
            self._reactor.open_loop.suspend(perf_counter_ns())

    def end_suspension(self) -> None:
        """End a halt."""
        self._suspended = False
        self._resume_issuing()

    def _set_arrivals_from(self, start_ns: int, measure_from_ns: int) -> None:
        """Follow the rate through a warm-up and begin anew where measuring does: what the warm-up could not do in
        time must not be counted as late in what is measured."""
        self._set_arrivals(start_ns)
        if measure_from_ns > start_ns:
            self._reactor.timers.at(
                measure_from_ns, lambda: self._restart_arrivals(measure_from_ns)
            )

    def _restart_arrivals(self, from_ns: int) -> None:
        if not self._held:  # Else the pace begins where the start line is left.
            self._set_arrivals(from_ns)

    def _set_arrivals(self, from_ns: int) -> None:
        """Follow the rate that is wanted now, with the first operation due at `from_ns`."""
        rate = self._rate_per_s
        spec = self._spec
        self._reactor.set_arrivals(
            None if rate is None else ArrivalSchedule(rate, from_ns, spec.process, spec.processes)
        )

    def _resume_issuing(self) -> None:
        """Let operations begin, if the race is on."""
        if self._started and not (
            self._stopping or self._paused or self._held or self._ending_heat
        ):
            self._reactor.open_loop.resume()
            self._reactor.begin_all()

    def _suspend_issuing(self) -> None:
        """Let no operation begin, and none become due."""
        self._reactor.issuing = False
        self._reactor.open_loop.suspend(perf_counter_ns())

    # ---------------------------------------------------------------- the end

    def stop(self) -> None:
        """Begin no operation any more, and finish once those under way are over."""
        if self._stopping:
            return
        self._stopping = True
        self._suspend_issuing()
        self._drain(self._finish)

    def _drain(self, drained: Callable[[], None]) -> None:
        """Wait for the operations under way, for a while, and count those that do not end as unfinished."""
        deadline_ns = perf_counter_ns() + DRAIN_NS

        def drain() -> None:
            if self._reactor.busy() and perf_counter_ns() < deadline_ns:
                self._reactor.after_ns(1_000_000, drain)
                return
            self._reactor.fail_in_flight("unfinished", final=self._stopping)
            drained()

        drain()
