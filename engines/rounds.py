"""Heats side by side: what each lane did in each round, and how far the rounds lie apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from engines.frame import LaneFrame, LaneState, Work
from engines.total import UNMEASURED, LaneTotal

FIGURES: Mapping[str, Callable[[Work], float]] = {
    "rows_per_s": lambda work: work.rows_per_s,
    "p50_us": lambda work: work.service.percentile_us(50),
    "p99_us": lambda work: work.service.percentile_us(99),
}
"""What is compared, of writes and of reads."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the rounds."""

    low: float
    middle: float
    high: float

    @staticmethod
    def over(values: list[float]) -> Spread:
        """Of at least one value."""
        return Spread(min(values), median(values), max(values))


class Rounds:
    """Adds up the frames of heats by lane and round. Holds one total for each, however long they last."""

    def __init__(self) -> None:
        self._totals: dict[tuple[int, str], LaneTotal] = {}

    def add(self, lane: LaneFrame, interval_s: float) -> None:
        """Count a frame of a lane, if it shows a part of a heat: at rest a lane keeps the number of its last one."""
        timed = lane.write.interval_s > 0 or lane.read.interval_s > 0
        if not lane.heat or lane.state in UNMEASURED:
            return
        if timed or (lane.state is LaneState.DOWN and (lane.write.failed or lane.read.failed)):
            total = self._totals.setdefault((lane.heat, lane.lane), LaneTotal())
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

    def spread(self, lane: str) -> dict[str, dict[str, Spread]]:
        """By role and figure ("write", "p50_us"), the spread over the lane's rounds. Rounds in which a role did
        nothing count for its rate, and not for its latencies; a figure that no round has is left out."""
        frames = list(self.of(lane).values())
        found: dict[str, dict[str, Spread]] = {}
        for role in ("write", "read"):
            works: list[Work] = [getattr(frame, role) for frame in frames]
            found[role] = {}
            for name, figure in FIGURES.items():
                values = [figure(work) for work in works if work.operations or name == "rows_per_s"]
                if values:
                    found[role][name] = Spread.over(values)
        return found
