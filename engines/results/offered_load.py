"""Offered load of an open loop, and whether it was achieved."""

from __future__ import annotations

from dataclasses import dataclass

from engines.metrics.stats import RoleStats

HELD_PERCENT = 1.0
"""Largest deviation in percent at which an offered rate was still held. The README states it."""


@dataclass(frozen=True, slots=True)
class OfferedLoad:
    """Offered and achieved load of one role of one lane, in operations per second.

    `offered_per_s` is None if the rate was changed during the race: there is no single rate to hold then. `backlog`
    counts the operations that were due and had not begun at the end, `backlog_max` those of the interval with the
    longest backlog. `measured_s` is the measured time in s. Operations were due for at least `offered_s` and at most
    `measured_s` of it, because a race waits at its end for operations in flight, and ends a little late on a busy
    machine.
    """

    offered_per_s: float | None
    achieved_per_s: float
    measured_s: float
    offered_s: float
    backlog: int
    backlog_max: int

    @property
    def off_percent(self) -> float | None:
        """Return the deviation from the operations due, in percent of the least number due; negative: too few.

        0.0 if the operations done lie between those due in `offered_s` and those due in `measured_s`. None if the rate
        was changed or nothing was due.
        """
        if not self._due:
            return None
        return self._off / self._due * 100

    @property
    def held(self) -> bool | None:
        """Return whether the rate was held; None if that is not known.

        A difference of one operation does not count: a race does not end exactly when an operation is due.
        """
        if not self._due:
            return None
        return abs(self._off) <= max(self._due * HELD_PERCENT / 100, 1.0)

    @property
    def _due(self) -> float:
        """Return the least number of operations that were due."""
        return (self.offered_per_s or 0.0) * self.offered_s

    @property
    def _off(self) -> float:
        """Return the operations done beyond those that may have been due; negative: those missing of what was due."""
        done = self.achieved_per_s * self.measured_s
        most = (self.offered_per_s or 0.0) * self.measured_s
        return min(done - self._due, 0.0) or max(done - most, 0.0)


def offered_load(
    work: RoleStats,
    offered_per_s: float | None,
    backlog: int,
    backlog_max: int,
    offered_s: float | None = None,
) -> OfferedLoad:
    """Return offered and achieved load from the `work` of a whole race.

    `offered_per_s` is None if the rate changed during the race. `offered_s` is the intended length of the race in s,
    None for a race without an end; in the result it is at most the measured time.
    """
    achieved_per_s = work.operations / work.interval_s if work.interval_s else 0.0
    due_s = work.interval_s if offered_s is None else min(work.interval_s, offered_s)
    return OfferedLoad(offered_per_s, achieved_per_s, work.interval_s, due_s, backlog, backlog_max)
