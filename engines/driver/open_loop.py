"""Operations at fixed times: which session does the next one that is due."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter_ns

from engines.driver.session import Session
from engines.driver.timers import Timers


class OpenLoopDispatcher:
    """Lets sessions that wait do what is due. `ready` says whether a session may begin the operation that it holds,
    `begin` begins it."""

    def __init__(
        self, timers: Timers, ready: Callable[[Session], bool], begin: Callable[[Session], None]
    ) -> None:
        self._timers = timers
        self._ready = ready
        self._begin = begin
        self.arrivals: ArrivalSchedule | None = None
        """When operations are due; None in a closed loop."""
        self.late = 0
        """Operations that began late."""
        self._idle: deque[Session] = deque()
        """The sessions that wait for an operation to be due."""
        self._timer_ns = 0
        """When the timer for the next due operation runs."""
        self._suspended_ns: int | None = None
        """Since when nothing becomes due."""

    def set_arrivals(
        self, arrivals: ArrivalSchedule | None, sessions: Iterable[Session]
    ) -> list[Session]:
        """Follow `pace` from now on, or nothing (None). What was due before is forgotten, and who waited for it is
        returned: these wait no more."""
        if arrivals is None or self.arrivals is None:
            for session in sessions:
                session.due_ns = 0  # What began in a closed loop was never due.
        self.arrivals = arrivals
        self._timer_ns = 0
        waiting, self._idle = list(self._idle), deque()
        for session in waiting:
            session.due_ns = 0
        return waiting

    def change_rate(self, per_s: float) -> None:
        """Let `per_s` operations per second be due from now on. What was due before is still to be done."""
        assert self.arrivals is not None
        self.arrivals.change(
            per_s, perf_counter_ns() if self._suspended_ns is None else self._suspended_ns
        )
        self._begin_due()

    def suspend(self, from_ns: int) -> None:
        """Let nothing become due from `from_ns` on, until `go_on`; what is due already stays so."""
        if self._suspended_ns is None:
            self._suspended_ns = from_ns

    def resume(self) -> None:
        """Leave the time since `stand_still` out of the pace: nobody is late for it, nor less late than before. Who
        waited is to `wait` again."""
        self._idle.clear()
        if self._suspended_ns is not None and self.arrivals is not None:
            self.arrivals.postpone(self._suspended_ns, perf_counter_ns())
        self._suspended_ns = None

    def wait(self, session: Session) -> None:
        """Let `session` begin once an operation is due that nobody has taken, which may be now."""
        self._idle.append(session)
        self._begin_due()

    def _begin_due(self) -> None:
        """Begin what is due, as far as there are sessions to do it; come back when the next one is."""
        arrivals, idle = self.arrivals, self._idle
        if arrivals is None:
            return
        now_ns = perf_counter_ns()
        while idle and arrivals.next_ns <= now_ns:
            session = idle.popleft()
            if self._ready(session):
                session.due_ns = arrivals.take()
                self.late += now_ns - session.due_ns > LATE_NS
                self._begin(session)
        if idle and self._timer_ns != arrivals.next_ns:
            self._timer_ns = arrivals.next_ns
            self._timers.at(arrivals.next_ns, self._begin_due)

    def backlog(self) -> int:
        """How many operations are due and have not begun."""
        if self.arrivals is None:
            return 0
        # What is due just where it stands still is not due before it goes on.
        return self.arrivals.backlog(
            perf_counter_ns() if self._suspended_ns is None else self._suspended_ns - 1
        )


LATE_NS = 1_000_000
"""An operation that begins more than this after it was due is counted as late."""


class RateSegment:
    """Operations due at one rate, `per_s` over all processes, from `start_ns` on: every `processes`-th from the
    `offset`-th on is this process's, and these are numbered from 0."""

    __slots__ = ("_offset", "_processes", "end", "per_s", "start_ns", "taken")

    def __init__(self, per_s: float, start_ns: int, offset: int, processes: int) -> None:
        self.per_s = per_s
        self.start_ns = start_ns
        self._offset = offset
        self._processes = processes
        self.taken = 0
        """The number of the next operation that nobody has taken."""
        self.end: int | None = None
        """The number of the first operation that is not due any more; None while that is open."""

    def due_ns(self, number: int) -> int:
        """When the operation of that number is due."""
        # From the number and not by adding up, so that no rounding error grows.
        return self.start_ns + int((number * self._processes + self._offset) * 1e9 / self.per_s)

    def remaining(self, now_ns: int) -> int:
        """How many operations are due at `now_ns` and not taken."""
        if self.end is not None:
            return self.end - self.taken
        if now_ns < self.due_ns(self.taken):
            return 0
        arrivals = (now_ns - self.start_ns) * self.per_s / 1e9
        # At least the one that is due, whatever the two roundings say.
        return max(1, math.floor((arrivals - self._offset) / self._processes) + 1 - self.taken)


class ArrivalSchedule:
    """Due times for the operations of one engine process: `per_s` operations per second over all `processes` of its
    lane and role, dealt out in turn."""

    __slots__ = ("_process", "_processes", "_segments", "next_ns")

    def __init__(self, per_s: float, start_ns: int, process: int = 0, processes: int = 1) -> None:
        """`per_s` above 0. The first operation of process 0 is due at `start_ns`."""
        self._process = process
        self._processes = processes
        self._segments = deque([RateSegment(per_s, start_ns, process, processes)])
        """The rate that holds now, and before it those of which something due is not taken."""
        self.next_ns = 0
        """When the next operation that nobody has taken is due."""
        self._update_next()

    def _update_next(self) -> None:
        segment = self._segments[0]
        self.next_ns = segment.due_ns(segment.taken)

    @property
    def per_s(self) -> float:
        """The rate that holds now."""
        return self._segments[-1].per_s

    def take(self) -> int:
        """Take the next operation; when it is, or was, due."""
        due_ns = self.next_ns
        segment = self._segments[0]
        segment.taken += 1
        if segment.taken == segment.end:
            self._segments.popleft()
        self._update_next()
        return due_ns

    def change(self, per_s: float, at_ns: int) -> None:
        """Let `per_s` operations per second be due from `at_ns` on. What was due before is to be done first, and is as
        late as it is: an overload does not vanish because the rate is another one."""
        last = self._segments[-1]
        last.end = last.taken + last.remaining(at_ns)
        if last.end == last.taken:
            self._segments.pop()
        self._segments.append(RateSegment(per_s, at_ns, self._process, self._processes))
        self._update_next()

    def postpone(self, from_ns: int, to_ns: int) -> None:
        """Leave the time from `from_ns` to `to_ns` out: what was due before stays as late as it was."""
        for segment in self._segments:
            segment.start_ns += max(0, to_ns - max(from_ns, segment.start_ns))
        self._update_next()

    def backlog(self, now_ns: int) -> int:
        """How many operations are due at `now_ns` and not taken."""
        return sum(segment.remaining(now_ns) for segment in self._segments)
