"""When the next operation is due.

Without a pace every connection sends as soon as it has its reply (saturate, a closed loop). With one the operations
are due at fixed times (an open loop): whatever the servers do, the times do not move, so that what a stalled server
kept waiting is seen in full. Measuring a response from its due time is the remedy for coordinated omission that
G. Tene describes and wrk2 applies (giltene/wrk2, README).
"""

from __future__ import annotations

import math
from collections import deque

LATE_NS = 1_000_000
"""An operation that begins more than this after it was due is counted as late."""


class Stretch:
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

    def left(self, now_ns: int) -> int:
        """How many operations are due at `now_ns` and not taken."""
        if self.end is not None:
            return self.end - self.taken
        if now_ns < self.due_ns(self.taken):
            return 0
        turns = (now_ns - self.start_ns) * self.per_s / 1e9
        # At least the one that is due, whatever the two roundings say.
        return max(1, math.floor((turns - self._offset) / self._processes) + 1 - self.taken)


class Pace:
    """Due times for the operations of one engine process: `per_s` operations per second over all `processes` of its
    lane and role, dealt out in turn."""

    __slots__ = ("_process", "_processes", "_stretches", "next_ns")

    def __init__(self, per_s: float, start_ns: int, process: int = 0, processes: int = 1) -> None:
        """`per_s` above 0. The first operation of process 0 is due at `start_ns`."""
        self._process = process
        self._processes = processes
        self._stretches = deque([Stretch(per_s, start_ns, process, processes)])
        """The rate that holds now, and before it those of which something due is not taken."""
        self.next_ns = 0
        """When the next operation that nobody has taken is due."""
        self._look()

    def _look(self) -> None:
        stretch = self._stretches[0]
        self.next_ns = stretch.due_ns(stretch.taken)

    @property
    def per_s(self) -> float:
        """The rate that holds now."""
        return self._stretches[-1].per_s

    def take(self) -> int:
        """Take the next operation; when it is, or was, due."""
        due_ns = self.next_ns
        stretch = self._stretches[0]
        stretch.taken += 1
        if stretch.taken == stretch.end:
            self._stretches.popleft()
        self._look()
        return due_ns

    def change(self, per_s: float, at_ns: int) -> None:
        """Let `per_s` operations per second be due from `at_ns` on. What was due before is to be done first, and is as
        late as it is: an overload does not vanish because the rate is another one."""
        last = self._stretches[-1]
        last.end = last.taken + last.left(at_ns)
        if last.end == last.taken:
            self._stretches.pop()
        self._stretches.append(Stretch(per_s, at_ns, self._process, self._processes))
        self._look()

    def postpone(self, from_ns: int, to_ns: int) -> None:
        """Leave the time from `from_ns` to `to_ns` out: what was due before stays as late as it was."""
        for stretch in self._stretches:
            stretch.start_ns += max(0, to_ns - max(from_ns, stretch.start_ns))
        self._look()

    def backlog(self, now_ns: int) -> int:
        """How many operations are due at `now_ns` and not taken."""
        return sum(stretch.left(now_ns) for stretch in self._stretches)
