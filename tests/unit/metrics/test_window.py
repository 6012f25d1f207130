"""Sliding window: what it holds is what the intervals in it hold, however they came and went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import RoleStats
from engines.metrics.window import KEPT_S, SlidingWindow
from tests.support.frames import latencies

distributions = st.builds(latencies, st.lists(st.integers(1, 10**6), max_size=5))
works = st.builds(
    RoleStats,
    operations=st.integers(0, 99),
    rows=st.integers(0, 99),
    service=distributions,
    response=st.none() | distributions,
    interval_s=st.sampled_from((0.25, 0.5, 1.0)),
)
PERCENTS = (1.0, 50.0, 99.0, 100.0)


def merged_us(parts: list[LatencyDistribution]) -> tuple[float | None, ...]:
    whole = LatencyDistribution.merged(parts)
    return tuple(whole.percentile_us(each) if whole.count else None for each in PERCENTS)


def check(window: SlidingWindow, inside: list[RoleStats]) -> None:
    length_s = sum(work.interval_s for work in inside)
    rows = sum(work.rows for work in inside)
    operations = sum(work.operations for work in inside)
    assert (window.rows, window.operations) == (rows, operations)
    assert window.rows_per_s == pytest.approx(rows / length_s if length_s else 0.0)
    assert window.operations_per_s == pytest.approx(operations / length_s if length_s else 0.0)
    assert window.percentiles_us(*PERCENTS) == merged_us([work.service for work in inside])
    responses = [work.response for work in inside if work.response is not None]
    assert window.response_us(*PERCENTS) == merged_us(responses)


@given(
    intervals=st.lists(works, max_size=12), window_s=st.integers(1, 6), later_s=st.integers(1, 15)
)
def test_a_window_holds_the_intervals_of_its_last_seconds(
    intervals: list[RoleStats], window_s: int, later_s: int
) -> None:
    window = SlidingWindow(window_s)
    for second, work in enumerate(intervals, start=1):
        window.add(float(second), work)
        check(window, intervals[max(0, second - window_s) : second])
    window.resize(later_s)
    check(window, intervals[-later_s:])
    # One interval more: what is taken out is what was put in after the change of length.
    window.add(len(intervals) + 1.0, RoleStats(rows=3, operations=1, interval_s=1.0))
    check(window, [*intervals, RoleStats(rows=3, operations=1, interval_s=1.0)][-later_s:])
    window.clear()
    check(window, [])
    assert window.rate_over(5.0) == 0.0


def test_a_window_can_grow_to_what_is_kept_and_no_further() -> None:
    window = SlidingWindow(2.0)
    seconds = round(KEPT_S) + 5
    for second in range(1, seconds + 1):
        window.add(float(second), RoleStats(rows=1, interval_s=1.0))
    assert window.rows == 2
    window.resize(1_000.0)
    assert window.rows == round(KEPT_S)


def test_the_rate_over_some_seconds_does_not_depend_on_the_window() -> None:
    window = SlidingWindow(1.0)
    for second, rows in enumerate((100, 10, 20, 30), start=1):
        window.add(float(second), RoleStats(rows=rows, interval_s=0.5))
    assert window.rate_over(2.0) == (20 + 30) / 1.0
    assert window.rate_over(3.0) == (10 + 20 + 30) / 1.5
    assert window.rate_over(0.5) == 30 / 0.5
    assert window.rate_over(60.0) == 160 / 2.0
