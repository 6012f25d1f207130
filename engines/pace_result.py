"""Whether an open loop did what was offered."""

from __future__ import annotations

from dataclasses import dataclass

from engines.frame import Work

HELD_PERCENT = 1.0
"""An offered rate is held when what was done in a race differs from it by no more than this."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One role of one lane: operations per second that were `offered_per_s` (None: changed while racing, so that no
    single rate is the one to hold) and that were acknowledged; how many were due and had not begun at the end, and at
    the end of the interval in which they were most."""

    offered_per_s: float | None
    achieved_per_s: float
    measured_s: float
    backlog: int
    backlog_max: int

    @property
    def off_percent(self) -> float | None:
        """By how much more (or, negative, less) was achieved than offered."""
        if self.offered_per_s is None or not self.measured_s:
            return None
        return (self.achieved_per_s / self.offered_per_s - 1) * 100

    @property
    def held(self) -> bool | None:
        """Whether the rate was held; None where that cannot be said. One operation more or less is no difference: a
        race does not end just when one is due."""
        if self.offered_per_s is None or not self.measured_s:
            return None
        due = self.offered_per_s * self.measured_s
        done = self.achieved_per_s * self.measured_s
        return abs(done - due) <= max(due * HELD_PERCENT / 100, 1.0)


def offer(work: Work, offered_per_s: float | None, backlog: int, backlog_max: int) -> Offer:
    """What became of an offer, from the `work` of a whole race."""
    achieved_per_s = work.operations / work.interval_s if work.interval_s else 0.0
    return Offer(offered_per_s, achieved_per_s, work.interval_s, backlog, backlog_max)
