"""When the next operation is due.

Without a pace every connection sends as soon as it has its reply (saturate, a closed loop). With one the operations
are due at fixed times (an open loop): whatever the servers do, the times do not move, so that what a stalled server
kept waiting is seen in full. Measuring a response from its due time is the remedy for coordinated omission that
G. Tene describes and wrk2 applies (giltene/wrk2, README).
"""

from __future__ import annotations

LATE_NS = 1_000_000
"""An operation that begins more than this after it was due is counted as late."""


class Pace:
    """Due times for the operations of one engine process: `per_s` operations per second over all `processes` of its
    lane and role, dealt out in turn."""

    __slots__ = ("_offset", "_processes", "_start_ns", "_taken", "next_ns", "per_s")

    def __init__(self, per_s: float, start_ns: int, process: int = 0, processes: int = 1) -> None:
        """`per_s` above 0. The first operation of process 0 is due at `start_ns`."""
        self.per_s = per_s
        self._start_ns = start_ns
        self._offset = process
        self._processes = processes
        self._taken = 0
        self.next_ns = self._due_ns(0)
        """When the next operation that nobody has taken is due."""

    def _due_ns(self, number: int) -> int:
        # From the number and not by adding up, so that no rounding error grows.
        return self._start_ns + int((number * self._processes + self._offset) * 1e9 / self.per_s)

    def take(self) -> int:
        """Take the next operation; when it is, or was, due."""
        due_ns = self.next_ns
        self._taken += 1
        self.next_ns = self._due_ns(self._taken)
        return due_ns

    def postpone(self, from_ns: int, to_ns: int) -> None:
        """Leave the time from `from_ns` to `to_ns` out: what was due before stays as late as it was."""
        by_ns = max(0, to_ns - max(from_ns, self._start_ns))
        self._start_ns += by_ns
        self.next_ns += by_ns

    def backlog(self, now_ns: int) -> int:
        """How many operations are due at `now_ns` and not taken."""
        if now_ns < self.next_ns:
            return 0
        turns = (now_ns - self._start_ns) * self.per_s / 1e9
        due = int((turns - self._offset) / self._processes) + 1
        return max(1, due - self._taken)
