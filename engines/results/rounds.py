"""Heats side by side: what each lane did in each round, and how far the rounds lie apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import RoleStats
from engines.metrics.totals import UNMEASURED, LaneTotals
from engines.model.roles import ROLES

FIGURES: Mapping[str, Callable[[RoleStats], float | None]] = {
    "rows_per_s": lambda work: work.rows_per_s,
    "p50_us": lambda work: _percentile_us(work.service, 50),
    "p99_us": lambda work: _percentile_us(work.service, 99),
    "response_p50_us": lambda work: _percentile_us(work.response, 50),
    "response_p99_us": lambda work: _percentile_us(work.response, 99),
}
"""What is compared, of writes and of reads: service times, and response times where there are due times. None where
there is nothing to take it of."""


def _percentile_us(latencies: LatencyDistribution | None, percent: float) -> float | None:
    return latencies.percentile_us(percent) if latencies is not None and latencies.count else None


@dataclass(frozen=True, slots=True)
class RoundRange:
    """A figure over the rounds: in the lowest and in the highest of them, and of all rounds together. `merged` is a
    percentile of everything that was measured and a rate over all of the time, and no middle of the rounds' own: a
    median of two percentiles is their mean, and a percentile of nothing."""

    low: float
    merged: float
    high: float


class HeatRounds:
    """Adds up the frames of heats by lane and round. Holds one total for each, however long they last."""

    def __init__(self) -> None:
        self._totals: dict[tuple[int, str], LaneTotals] = {}

    def add(self, lane: LaneFrame, interval_s: float) -> None:
        """Count a frame of a lane, if it shows a part of a heat: at rest a lane keeps the number of its last one."""
        timed = lane.write.interval_s > 0 or lane.read.interval_s > 0
        if not lane.heat or lane.state in UNMEASURED:
            return
        if timed or (lane.state is LaneState.DOWN and (lane.write.failed or lane.read.failed)):
            total = self._totals.setdefault((lane.heat, lane.lane), LaneTotals())
            total.add(lane, interval_s, measured=True)

    @property
    def longest_s(self) -> float:
        """How long the longest heat was measured; 0.0 before the first."""
        times_s = [
            max(total.write.interval_s, total.read.interval_s) for total in self._totals.values()
        ]
        return max(times_s, default=0.0)

    @property
    def order(self) -> list[tuple[int, str]]:
        """(round, lane) of each heat, in the order in which they were run."""
        return list(self._totals)

    def of(self, lane: str) -> dict[int, LaneFrame]:
        """By round, what the lane did in its heat, as one interval."""
        return {
            number: total.frame(lane)
            for (number, name), total in sorted(self._totals.items())
            if name == lane
        }

    def spread(self, lane: str) -> dict[str, dict[str, RoundRange]]:
        """By role and figure ("write", "p50_us"), the spread over the lane's rounds. Rounds in which a role did
        nothing count for its rate, and not for its latencies; a figure that no round has is left out."""
        frames = list(self.of(lane).values())
        found: dict[str, dict[str, RoundRange]] = {}
        for role in ROLES:
            works: list[RoleStats] = [frame.role(role) for frame in frames]
            found[role] = {}
            together = RoleStats.merged(works, sum(work.interval_s for work in works))
            for name, figure in FIGURES.items():
                values = [value for work in works if (value := figure(work)) is not None]
                merged = figure(together)
                if values and merged is not None:
                    found[role][name] = RoundRange(min(values), merged, max(values))
        return found
