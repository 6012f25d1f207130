"""The queue between an engine process and the frames of its lane loses no report and shows none twice."""

from __future__ import annotations

from engines.metrics.stats import CacheStats, IntervalStats, RoleStats
from engines.race.report_queue import ReportQueue
from tests.support.frames import report


def counted(operations: int) -> IntervalStats:
    interval_s = 0.25 if operations else 0.0
    return IntervalStats(RoleStats(operations, interval_s=interval_s), CacheStats())


def test_reports_of_later_intervals_wait_for_their_own_frame() -> None:
    queue = ReportQueue(report(counted(index), index=index) for index in (1, 2, 4))
    assert [each.index for each in queue.take(2)] == [1, 2]
    assert queue.take(3) == []
    assert queue.last_index == 4
    assert [each.index for each in queue.take(4)] == [4]
    assert not queue
    assert queue.last_index == -1


def test_what_a_frame_of_the_warm_up_does_not_show_comes_first_in_the_next_one() -> None:
    queue = ReportQueue([report(counted(0), counted(9), index=0), report(counted(5), index=1)])
    taken = queue.take(1)
    queue.add(report(counted(7), index=2))
    queue.carry_over(taken)
    kept = queue.take(2)
    assert [each.measured.work.operations for each in kept] == [5, 7]
    # The operations of the warm-up have been shown.
    assert [each.warm.work.operations for each in kept] == [0, 0]
