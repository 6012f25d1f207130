"""Where the intervals of a race begin and end: the same for every engine process and for the parent."""

from __future__ import annotations

from dataclasses import dataclass

DRAIN_NS = 2_000_000_000
"""How long operations under way may take after the end before they are counted as unfinished."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """All times in ns of the machine-wide monotonic clock (perf_counter_ns).

    From `start_ns` on operations flow; those that begin before `measure_from_ns` are warm-up; at `stop_ns` (None:
    until told) no new one begins. Intervals are `interval_ns` long, but for the last one of the warm-up, which ends
    where measuring begins.
    """

    start_ns: int
    measure_from_ns: int
    stop_ns: int | None
    interval_ns: int

    @property
    def warm_intervals(self) -> int:
        """How many intervals the warm-up has."""
        return -(-(self.measure_from_ns - self.start_ns) // self.interval_ns)

    def end_ns(self, index: int) -> int:
        """When interval `index` (from 0) ends. The one that reaches `stop_ns` ends once its operations are over."""
        warm = self.warm_intervals
        if index < warm:
            return min(self.start_ns + (index + 1) * self.interval_ns, self.measure_from_ns)
        return self.measure_from_ns + (index - warm + 1) * self.interval_ns
