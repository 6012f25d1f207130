"""All that a lane did in a race, warm-up included: telemon's side of a reconciliation."""

from __future__ import annotations

from collections.abc import Iterable

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.stats import CacheStats, RoleStats


class RunCounts:
    """Counts without latencies, of every frame of a lane from the first on, whatever a result leaves out."""

    def __init__(self) -> None:
        self._write = RoleStats()
        self._read = RoleStats()
        self._cache = CacheStats()

    def add(self, lane: LaneFrame) -> None:
        """Enter a frame's measured part. What it shows while warming is entered by `total`, with the operations that
        began in the warm-up and that no frame shows."""
        if lane.state is not LaneState.WARMING:
            self._write = _sum((self._write, lane.write))
            self._read = _sum((self._read, lane.read))
            self._cache = CacheStats.merged((self._cache, lane.cache))

    def total(
        self, write: RoleStats, read: RoleStats, cache: CacheStats
    ) -> tuple[RoleStats, RoleStats, CacheStats]:
        """Writes, reads and how the reads were answered, with the warm-up's `write`, `read` and `cache`."""
        return (
            _sum((self._write, write)),
            _sum((self._read, read)),
            CacheStats.merged((self._cache, cache)),
        )


def _sum(works: Iterable[RoleStats]) -> RoleStats:
    kept = tuple(works)
    errors: dict[str, int] = {}
    for work in kept:
        for kind, count in work.errors.items():
            errors[kind] = errors.get(kind, 0) + count
    return RoleStats(
        operations=sum(work.operations for work in kept),
        rows=sum(work.rows for work in kept),
        errors=errors,
    )
