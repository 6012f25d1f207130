"""Open loop: operations start at scheduled times, independent of when earlier ones complete."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter_ns

from engines.driver.session import Session
from engines.driver.timers import Timers


class OpenLoopDispatcher:
    """Assigns each operation that is due to a waiting session.

    `ready` returns whether a session may start the operation that it has built; `begin` starts it.
    """

    def __init__(
        self, timers: Timers, ready: Callable[[Session], bool], begin: Callable[[Session], None]
    ) -> None:
        self._timers = timers
        self._ready = ready
        self._begin = begin
        self.arrivals: ArrivalSchedule | None = None
        """Arrival schedule; None in a closed loop."""
        self.late = 0
        """Number of late starts."""
        self._idle: deque[Session] = deque()
        """Sessions that wait for an operation to become due."""
        self._timer_ns = 0
        """When the timer for the next due operation fires."""
        self._suspended_ns: int | None = None
        """Since when no operation becomes due; None while the schedule advances."""

    def set_arrivals(
        self, arrivals: ArrivalSchedule | None, sessions: Iterable[Session]
    ) -> list[Session]:
        """Follow `arrivals` from now on, or no schedule (None), and return the sessions that were waiting.

        Operations that were due before are discarded. The returned sessions no longer wait.
        """
        if arrivals is None or self.arrivals is None:
            for session in sessions:
                session.due_ns = 0  # An operation of the closed loop had no due time.
        self.arrivals = arrivals
        self._timer_ns = 0
        waiting, self._idle = list(self._idle), deque()
        for session in waiting:
            session.due_ns = 0
        return waiting

    def change_rate(self, per_s: float) -> None:
        """Change the rate to `per_s` operations per second from now on; the backlog stays due."""
        assert self.arrivals is not None
        self.arrivals.change(
            per_s, perf_counter_ns() if self._suspended_ns is None else self._suspended_ns
        )
        self._begin_due()

    def suspend(self, from_ns: int) -> None:
        """Let no operation become due from `from_ns` until `resume`; operations already due stay due."""
        if self._suspended_ns is None:
            self._suspended_ns = from_ns

    def resume(self) -> None:
        """Shift the arrival schedule by the time since `suspend`, so that it changes the lateness of no operation.

        Waiting sessions are dropped; the caller passes them to `wait` again.
        """
        self._idle.clear()
        if self._suspended_ns is not None and self.arrivals is not None:
            self.arrivals.postpone(self._suspended_ns, perf_counter_ns())
        self._suspended_ns = None

    def wait(self, session: Session) -> None:
        """Start `session` once an operation is due that no other session takes, possibly at once."""
        self._idle.append(session)
        self._begin_due()

    def _begin_due(self) -> None:
        """Start the operations that are due, as long as sessions wait, and set a timer for the next one."""
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
        """Return the number of operations that are due and have not started."""
        if self.arrivals is None:
            return 0
        # An operation due exactly at the time of suspension becomes due only after `resume`.
        return self.arrivals.backlog(
            perf_counter_ns() if self._suspended_ns is None else self._suspended_ns - 1
        )


LATE_NS = 1_000_000
"""An operation that starts more than this after it was due counts as a late start."""


class RateSegment:
    """Operations due at one rate, `per_s` over all processes, from `start_ns` on.

    This process executes every `processes`-th operation from number `offset` on; its own operations are numbered from
    0.
    """

    __slots__ = ("_offset", "_processes", "end", "per_s", "start_ns", "taken")

    def __init__(self, per_s: float, start_ns: int, offset: int, processes: int) -> None:
        self.per_s = per_s
        self.start_ns = start_ns
        self._offset = offset
        self._processes = processes
        self.taken = 0
        """Number of the next operation that no session has taken."""
        self.end: int | None = None
        """Number of the first operation that is no longer due in this segment; None in the current segment."""

    def due_ns(self, number: int) -> int:
        """Return when operation `number` of this process is due, in ns."""
        # Computed from the number instead of by summing intervals, so that rounding errors do not
        # accumulate.
        return self.start_ns + int((number * self._processes + self._offset) * 1e9 / self.per_s)

    def remaining(self, now_ns: int) -> int:
        """Return the number of operations that are due at `now_ns` and not taken."""
        if self.end is not None:
            return self.end - self.taken
        if now_ns < self.due_ns(self.taken):
            return 0
        arrivals = (now_ns - self.start_ns) * self.per_s / 1e9
        # At least 1, because `due_ns` says so: the two roundings may differ.
        return max(1, math.floor((arrivals - self._offset) / self._processes) + 1 - self.taken)


class ArrivalSchedule:
    """Due times for the operations of one engine process.

    `per_s` is the rate over all `processes` of its lane and role; the operations are assigned to the processes in turn.
    """

    __slots__ = ("_process", "_processes", "_segments", "next_ns")

    def __init__(self, per_s: float, start_ns: int, process: int = 0, processes: int = 1) -> None:
        """Create a schedule with `per_s` above 0; the first operation of process 0 is due at `start_ns`."""
        self._process = process
        self._processes = processes
        self._segments = deque([RateSegment(per_s, start_ns, process, processes)])
        """The current rate as the last segment, and before it those with operations still due."""
        self.next_ns = 0
        """When the next operation that no session has taken is due."""
        self._update_next()

    def _update_next(self) -> None:
        """Set `next_ns` from the first segment."""
        segment = self._segments[0]
        self.next_ns = segment.due_ns(segment.taken)

    @property
    def per_s(self) -> float:
        """Return the current rate in operations per second, over all processes."""
        return self._segments[-1].per_s

    def take(self) -> int:
        """Take the next operation and return when it is (or was) due, in ns."""
        due_ns = self.next_ns
        segment = self._segments[0]
        segment.taken += 1
        if segment.taken == segment.end:
            self._segments.popleft()
        self._update_next()
        return due_ns

    def change(self, per_s: float, at_ns: int) -> None:
        """Change the rate over all processes to `per_s` operations per second from `at_ns` on.

        The first operation of process 0 is due at `at_ns`, that of process k k / `per_s` seconds later. Operations due
        before are executed first and keep their lateness: a change of rate does not remove an overload.
        """
        last = self._segments[-1]
        # One that is due exactly then is the first at the new rate.
        last.end = last.taken + last.remaining(at_ns - 1)
        if last.end == last.taken:
            self._segments.pop()
        self._segments.append(RateSegment(per_s, at_ns, self._process, self._processes))
        self._update_next()

    def postpone(self, from_ns: int, to_ns: int) -> None:
        """Shift every operation that is not taken by `to_ns` - `from_ns`, also those that are due already.

        A rate that begins later than `from_ns` is shifted only by the time from its beginning to `to_ns`.
        Use it for a time in which the client issued nothing on purpose. How late the backlog is does not change.
        """
        for segment in self._segments:
            segment.start_ns += max(0, to_ns - max(from_ns, segment.start_ns))
        self._update_next()

    def backlog(self, now_ns: int) -> int:
        """Return the number of operations that are due at `now_ns` and not taken."""
        return sum(segment.remaining(now_ns) for segment in self._segments)
