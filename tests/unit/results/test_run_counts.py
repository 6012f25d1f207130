"""Operation counts of a whole run: what every frame measured, and the warm-up as a whole."""

from __future__ import annotations

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.stats import CacheStats, RoleStats
from engines.results.run_counts import RunCounts
from tests.support.frames import work


def test_frames_and_warm_up_are_added_by_role_and_without_latencies() -> None:
    counts = RunCounts()
    for state, writes, reads in (
        (LaneState.WARMING, 100, 100),  # told again as a whole
        (LaneState.RACING, 2, 3),
        (LaneState.DONE, 5, 7),
    ):
        counts.add(
            LaneFrame(
                "cached",
                state,
                write=work([1.0] * writes, rows_each=10),
                read=work([1.0] * reads),
                cache=CacheStats(hits=reads),
            )
        )
    write, read, cache = counts.total(
        RoleStats(operations=1_000, rows=10_000), RoleStats(operations=2_000), CacheStats(hits=30)
    )
    assert (write.operations, write.rows) == (1_007, 10_070)
    assert (read.operations, cache.hits) == (2_010, 40)
    assert not write.service.buckets
    assert not read.service.buckets
