"""Operation counts of one lane over the whole run: telemon's side of a reconciliation."""

from __future__ import annotations

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.merge import RunningTotal, merge
from engines.metrics.stats import CacheStats, RoleStats


class RunCounts:
    """Operation counts of one lane over the whole run, without latencies.

    They cover every frame from the first on, also those that a result leaves out. `engines.results.reconciliation`
    compares them with the servers' counters.
    """

    def __init__(self) -> None:
        self._write = RunningTotal(RoleStats, distributions=False)
        self._read = RunningTotal(RoleStats, distributions=False)
        self._cache = RunningTotal(CacheStats)

    def add(self, lane: LaneFrame) -> None:
        """Count the measured part of a frame.

        Warm-up frames are not counted here. `total` adds the warm-up as a whole, with the operations that began in it
        and that no frame shows.
        """
        if lane.state is not LaneState.WARMING:
            self._write.add(lane.write)
            self._read.add(lane.read)
            self._cache.add(lane.cache)

    def total(
        self, write: RoleStats, read: RoleStats, cache: CacheStats
    ) -> tuple[RoleStats, RoleStats, CacheStats]:
        """Return the counts of writes, reads and cached reads, with the warm-up's `write`, `read` and `cache`."""
        return (
            _counts(self._write.value(), write),
            _counts(self._read.value(), read),
            merge(CacheStats, (self._cache.value(), cache)),
        )


def _counts(*parts: RoleStats) -> RoleStats:
    """Return the sum of `parts` without their latencies."""
    total = RunningTotal(RoleStats, distributions=False)
    for part in parts:
        total.add(part)
    return total.value()
