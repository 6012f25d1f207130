"""Heats side by side: what each lane did in each round, and how far the rounds lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engines.metrics.figures import Shown, Unit, figures_of
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.merge import merge
from engines.metrics.stats import IntervalStats, RoleStats
from engines.metrics.totals import UNMEASURED, LaneTotals
from engines.model.roles import ROLES


@dataclass(frozen=True, slots=True)
class RoundRange:
    """One figure over the rounds of heats: its lowest and highest round, and all rounds together.

    `merged` is read off the merged stats of all rounds: a percentile of everything that was measured, a rate over all
    of the time. It is not the median or mean of the rounds' own figures.
    """

    low: float
    merged: float
    high: float
    unit: Unit


class HeatRounds:
    """Sums of the frames of heats by lane and round. Their size does not depend on how long the heats last."""

    def __init__(self) -> None:
        self._totals: dict[tuple[int, str], LaneTotals] = {}

    def add(self, lane: LaneFrame, interval_s: float) -> None:
        """Count a lane's frame if it is part of a heat. An idle lane keeps the number of its last heat."""
        timed = lane.write.interval_s > 0 or lane.read.interval_s > 0
        if not lane.heat or lane.state in UNMEASURED:
            return
        if timed or (lane.state is LaneState.DOWN and (lane.write.failed or lane.read.failed)):
            total = self._totals.setdefault((lane.heat, lane.lane), LaneTotals())
            total.add(lane, interval_s, measured=True)

    @property
    def longest_s(self) -> float:
        """Return the measured time of the longest heat in s; 0.0 before the first."""
        times_s = [
            max(total.write.interval_s, total.read.interval_s) for total in self._totals.values()
        ]
        return max(times_s, default=0.0)

    @property
    def order(self) -> list[tuple[int, str]]:
        """Return (round, lane) of each heat, in the order in which they were run."""
        return list(self._totals)

    def of(self, lane: str) -> dict[int, LaneFrame]:
        """Return by round the lane's heat as one interval."""
        return {
            number: total.frame(lane)
            for (number, name), total in sorted(self._totals.items())
            if name == lane
        }

    def spread(self, lane: str) -> dict[str, dict[str, RoundRange]]:
        """Return by role and figure ("write", "p50_us") the range over the lane's rounds.

        A round in which a role did nothing counts for the role's rate, but not for its latencies. A figure that no
        round has is left out.
        """
        frames = list(self.of(lane).values())
        found: dict[str, dict[str, RoundRange]] = {}
        for role in ROLES:
            rounds = [frame.stats(role) for frame in frames]
            together = _together(rounds)
            found[role] = {}
            for figure in figures_of(role, Shown.HEATS):
                values = [value for each in rounds if (value := figure.value(each)) is not None]
                merged = figure.value(together)
                if values and merged is not None:
                    found[role][figure.name] = RoundRange(
                        min(values), merged, max(values), figure.unit
                    )
        return found


def _together(rounds: Sequence[IntervalStats]) -> IntervalStats:
    """Return the stats of several rounds as one, over the sum of their times."""
    works = [each.work for each in rounds]
    work = merge(RoleStats, works, interval_s=sum(work.interval_s for work in works))
    return merge(IntervalStats, rounds, work=work)
