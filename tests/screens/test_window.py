"""A window that slides gives what merging all of its intervals anew would give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.metrics.histogram import Histogram, LatencyDistribution
from engines.metrics.merge import merge
from engines.metrics.scheduling_delay import UNKNOWN, SchedulingDelay
from engines.metrics.stats import RoleStats
from engines.metrics.window import KEPT_S, SlidingWindow


def work(values_us: list[int], rows: int) -> RoleStats:
    histogram = Histogram()
    for value in values_us:
        histogram.record(value * 1000)
    service = histogram.take()
    for value in values_us:
        histogram.record(value * 3000)
    # Now and then the loop is closed, and nothing is due.
    response = histogram.take() if rows % 3 else None
    wait = SchedulingDelay(waited_ns=1_000 * rows, turns=len(values_us))
    return RoleStats(
        len(values_us), rows, service, response, interval_s=0.25, scheduling_delay=wait
    )


intervals = st.lists(
    st.builds(
        work, st.lists(st.integers(1, 2_000_000), max_size=6), st.integers(0, 1000)
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@given(
    intervals, st.sampled_from([0.5, 1.0, 2.0, 5.0, 60.0]), st.sampled_from([0.5, 1.0, 5.0, 60.0])
)
def test_is_the_merge_of_its_intervals(
    works: list[RoleStats], window_s: float, resized_s: float
) -> None:
    sliding = SlidingWindow(window_s)
    for number, one in enumerate(works):
        at_s = 100 + number * 0.25
        sliding.add(at_s, one)
        inside = [w for n, w in enumerate(works[: number + 1]) if 100 + n * 0.25 > at_s - window_s]
        compare(sliding, inside)
    sliding.resize(resized_s)
    inside = [w for n, w in enumerate(works) if 100 + n * 0.25 > at_s - min(resized_s, KEPT_S)]
    compare(sliding, inside)


def compare(sliding: SlidingWindow, inside: list[RoleStats]) -> None:
    merged = LatencyDistribution.merged(w.service for w in inside)
    assert sliding.rows == sum(w.rows for w in inside)
    expected = tuple(merged.percentile_us(p) if merged.count else None for p in (50, 99, 100))
    assert sliding.percentiles_us(50, 99, 100) == expected
    felt = LatencyDistribution.merged(w.response for w in inside if w.response is not None)
    expected = tuple(felt.percentile_us(p) if felt.count else None for p in (50, 99, 100))
    assert sliding.response_us(50, 99, 100) == expected
    assert sliding.operations == sum(w.operations for w in inside)
    assert sliding.scheduling_delay == merge(SchedulingDelay, (w.scheduling_delay for w in inside))


def test_rate_is_over_true_lengths() -> None:
    sliding = SlidingWindow(5.0)
    sliding.add(1.0, RoleStats(rows=100, interval_s=0.25))
    sliding.add(1.5, RoleStats(rows=100, interval_s=0.5))
    assert abs(sliding.rows_per_s - 200 / 0.75) < 1e-9
    assert sliding.rate_over(0.5) == 200.0


def test_forgets() -> None:
    sliding = SlidingWindow(5.0)
    sliding.add(1.0, work([5, 6], 2))
    sliding.clear()
    assert sliding.percentiles_us(50, 99) == (None, None)
    assert sliding.scheduling_delay == UNKNOWN
    assert sliding.rows_per_s == 0.0
    sliding.add(2.0, work([7], 1))
    assert sliding.percentiles_us(50) == (7.0,)
