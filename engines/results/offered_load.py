"""Whether an open loop did what was offered."""

from __future__ import annotations

from dataclasses import dataclass

from engines.metrics.stats import RoleStats

HELD_PERCENT = 1.0
"""An offered rate is held when what was done in a race differs from it by no more than this."""


@dataclass(frozen=True, slots=True)
class OfferedLoad:
    """One role of one lane: operations per second that were `offered_per_s` (None: changed while racing, so that no
    single rate is the one to hold) and that were acknowledged; how many were due and had not begun at the end, and at
    the end of the interval in which they were most.

    It was measured for `measured_s`, of which operations were due for `offered_s` at least: a race that ends awaits
    what is under way, and ends a little late where the machine is busy. So many operations were due, or up to so many
    as the whole time had."""

    offered_per_s: float | None
    achieved_per_s: float
    measured_s: float
    offered_s: float
    backlog: int
    backlog_max: int

    @property
    def off_percent(self) -> float | None:
        """By how much more (or, negative, less) was done than was due; None where that cannot be said."""
        if not self._due:
            return None
        return self._off / self._due * 100

    @property
    def held(self) -> bool | None:
        """Whether the rate was held; None where that cannot be said. One operation more or less is no difference: a
        race does not end just when one is due."""
        if not self._due:
            return None
        return abs(self._off) <= max(self._due * HELD_PERCENT / 100, 1.0)

    @property
    def _due(self) -> float:
        """How many operations were due at least."""
        return (self.offered_per_s or 0.0) * self.offered_s

    @property
    def _off(self) -> float:
        """How many operations were done beyond what may have been due, or (negative) are missing from what was."""
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
    """What became of an offer, from the `work` of a whole race; `offered_s` (None: no end) is how long it was to be."""
    achieved_per_s = work.operations / work.interval_s if work.interval_s else 0.0
    due_s = work.interval_s if offered_s is None else min(work.interval_s, offered_s)
    return OfferedLoad(offered_per_s, achieved_per_s, work.interval_s, due_s, backlog, backlog_max)
