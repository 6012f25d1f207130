"""Interval boundaries of a run, equal for the race and all its engine processes."""

from __future__ import annotations

from dataclasses import dataclass

DRAIN_NS = 2_000_000_000
"""How long operations in flight may take after the end of a run before they count as unfinished."""


STOP_DRAIN_NS = 400_000_000
"""The same after a request to stop: whoever ends a race whose servers hang is not kept waiting for them."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times of a run, in ns of the monotonic clock that all processes of the machine share (`perf_counter_ns`).

    Operations start from `start_ns` on. Those that start before `measure_from_ns` are warm-up. From `stop_ns` on no
    operation starts; None means until a `Stop` message. Every interval is `interval_ns` long, except the last one of
    the warm-up, which ends at `measure_from_ns`.
    """

    start_ns: int
    measure_from_ns: int
    stop_ns: int | None
    interval_ns: int

    @property
    def warm_intervals(self) -> int:
        """Number of intervals in the warm-up."""
        return -(-(self.measure_from_ns - self.start_ns) // self.interval_ns)

    def end_ns(self, index: int) -> int:
        """Return when interval `index` (from 0) ends, in ns.

        The interval that contains `stop_ns` ends later, once its operations have completed.
        """
        warm = self.warm_intervals
        if index < warm:
            return min(self.start_ns + (index + 1) * self.interval_ns, self.measure_from_ns)
        return self.measure_from_ns + (index - warm + 1) * self.interval_ns
