"""Operations at fixed times: which session does the next one that is due."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter_ns

from engines.driver.pacing import LATE_NS, Pace
from engines.driver.session import Session
from engines.driver.timers import Timers


class OpenLoop:
    """Lets sessions that wait do what is due. `ready` says whether a session may begin the operation that it holds,
    `begin` begins it."""

    def __init__(
        self, timers: Timers, ready: Callable[[Session], bool], begin: Callable[[Session], None]
    ) -> None:
        self._timers = timers
        self._ready = ready
        self._begin = begin
        self.pace: Pace | None = None
        """When operations are due; None in a closed loop."""
        self.late = 0
        """Operations that began late."""
        self._idle: deque[Session] = deque()
        """The sessions that wait for an operation to be due."""
        self._timer_ns = 0
        """When the timer for the next due operation runs."""
        self._still_ns: int | None = None
        """Since when nothing becomes due."""

    def set_pace(self, pace: Pace | None, sessions: Iterable[Session]) -> list[Session]:
        """Follow `pace` from now on, or nothing (None). What was due before is forgotten, and who waited for it is
        returned: these wait no more."""
        if pace is None or self.pace is None:
            for session in sessions:
                session.due_ns = 0  # What began in a closed loop was never due.
        self.pace = pace
        self._timer_ns = 0
        waiting, self._idle = list(self._idle), deque()
        for session in waiting:
            session.due_ns = 0
        return waiting

    def change_rate(self, per_s: float) -> None:
        """Let `per_s` operations per second be due from now on. What was due before is still to be done."""
        assert self.pace is not None
        self.pace.change(per_s, perf_counter_ns() if self._still_ns is None else self._still_ns)
        self._begin_due()

    def stand_still(self, from_ns: int) -> None:
        """Let nothing become due from `from_ns` on, until `go_on`; what is due already stays so."""
        if self._still_ns is None:
            self._still_ns = from_ns

    def go_on(self) -> None:
        """Leave the time since `stand_still` out of the pace: nobody is late for it, nor less late than before. Who
        waited is to `wait` again."""
        self._idle.clear()
        if self._still_ns is not None and self.pace is not None:
            self.pace.postpone(self._still_ns, perf_counter_ns())
        self._still_ns = None

    def wait(self, session: Session) -> None:
        """Let `session` begin once an operation is due that nobody has taken, which may be now."""
        self._idle.append(session)
        self._begin_due()

    def _begin_due(self) -> None:
        """Begin what is due, as far as there are sessions to do it; come back when the next one is."""
        pace, idle = self.pace, self._idle
        if pace is None:
            return
        now_ns = perf_counter_ns()
        while idle and pace.next_ns <= now_ns:
            session = idle.popleft()
            if self._ready(session):
                session.due_ns = pace.take()
                self.late += now_ns - session.due_ns > LATE_NS
                self._begin(session)
        if idle and self._timer_ns != pace.next_ns:
            self._timer_ns = pace.next_ns
            self._timers.at(pace.next_ns, self._begin_due)

    def backlog(self) -> int:
        """How many operations are due and have not begun."""
        if self.pace is None:
            return 0
        # What is due just where it stands still is not due before it goes on.
        return self.pace.backlog(
            perf_counter_ns() if self._still_ns is None else self._still_ns - 1
        )
