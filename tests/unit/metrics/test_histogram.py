"""Latency counts: where values go, what comes out again, and how far off it may be."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engines.metrics.histogram import (
    BUCKETS,
    EMPTY,
    MAX_NS,
    Histogram,
    LatencyDistribution,
    bucket_index,
    bucket_upper_ns,
)

PERCENTS = ("0", "1", "25", "50", "75", "90", "95", "99", "99.9", "99.99", "100")

# Every order of magnitude is as likely as any other.
values_ns = (
    st.integers(0, 35)
    .flatmap(lambda bits: st.integers(0, 2 << bits))
    .map(lambda value_ns: min(value_ns, MAX_NS))
)
any_values_ns = st.one_of(values_ns, st.integers(MAX_NS - 1, 4 * MAX_NS))


def recorded(values: Iterable[int]) -> LatencyDistribution:
    histogram = Histogram()
    for value_ns in values:
        histogram.record(value_ns)
    return histogram.take()


def nearest_rank_ns(values: Iterable[int], percent: str) -> int:
    """Return the percentile by its definition, from all values."""
    ordered = sorted(values)
    return ordered[max(1, ceil(Fraction(percent) * len(ordered) / 100)) - 1]


# ---------------------------------------------------------------- buckets


def test_buckets_cover_every_value_once_and_are_narrow() -> None:
    lower_ns = 0
    for index in range(BUCKETS):
        upper_ns = bucket_upper_ns(index)
        assert bucket_index(lower_ns) == bucket_index(upper_ns) == index
        width_ns = upper_ns - lower_ns + 1
        assert width_ns == 1 if lower_ns < 256 else width_ns / lower_ns <= 0.0079
        lower_ns = upper_ns + 1
    assert lower_ns == MAX_NS + 1


def test_the_largest_value_is_over_a_minute() -> None:
    assert MAX_NS == 68_719_476_735
    assert BUCKETS < 4_096


@pytest.mark.parametrize(
    ("value_ns", "lower_ns", "upper_ns"),
    [
        (255, 255, 255),
        (256, 256, 257),
        (1_000, 1_000, 1_003),  # from 512 on 4 ns wide
        (1_000_000, 999_424, 1_003_519),  # from 524,288 on 4,096 ns wide
        (1_000_000_000, 998_244_352, 1_002_438_655),  # from 2**29 on 2**22 ns wide
    ],
)
def test_known_buckets(value_ns: int, lower_ns: int, upper_ns: int) -> None:
    index = bucket_index(value_ns)
    assert bucket_upper_ns(index) == upper_ns
    assert bucket_upper_ns(index - 1) + 1 == lower_ns


@given(values_ns)
@example(0)
@example(255)
@example(256)
@example(MAX_NS)
def test_a_value_is_counted_in_its_bucket(value_ns: int) -> None:
    assert recorded([value_ns]).buckets == ((bucket_index(value_ns), 1),)


# ---------------------------------------------------------------- percentiles


@pytest.mark.parametrize(
    ("percent", "expected_us"),
    [(0, 0.001), (1, 0.001), (50, 0.05), (50.5, 0.051), (99, 0.099), (99.9, 0.1), (100, 0.1)],
)
def test_percentiles_of_1_to_100_ns_are_exact(percent: float, expected_us: float) -> None:
    assert recorded(range(1, 101)).percentile_us(percent) == expected_us


@pytest.mark.parametrize(
    ("percent", "expected_us"), [(5, 0.015), (30, 0.020), (40, 0.020), (50, 0.035), (100, 0.050)]
)
def test_the_textbook_example_of_nearest_rank(percent: float, expected_us: float) -> None:
    assert recorded([35, 20, 15, 50, 40]).percentile_us(percent) == expected_us


def test_a_percentile_is_the_upper_bound_of_its_bucket() -> None:
    latencies = recorded([1_000, 1_000_000, 2_000_000])
    assert latencies.percentile_us(50) == 1_003.519
    assert latencies.percentile_us(33) == 1.003


def test_no_percentile_lies_outside_what_was_measured() -> None:
    for value_ns in (1_000_000, 1_000_003, 5 * MAX_NS):
        latencies = recorded([value_ns] * 3)
        for percent in PERCENTS:
            assert latencies.percentile_us(float(percent)) == value_ns / 1000
    assert recorded([999_999, 1_000_001, 1_000_002]).percentile_us(50) == 1_000.002


def test_a_rank_that_is_a_whole_number_is_not_rounded_up() -> None:
    # 99.9 % of 41,000 values are 40,959 of them; in floats it is a little more.
    latencies = recorded([100] * 40_959 + [200] * 41)
    assert latencies.percentile_us(99.9) == 0.1
    assert recorded([100] * 40_958 + [200] * 42).percentile_us(99.9) == 0.2


@given(st.lists(values_ns, min_size=1, max_size=60), st.sampled_from(PERCENTS))
def test_percentiles_are_within_one_percent_above_the_exact_ones(
    values: list[int], percent: str
) -> None:
    exact_us = nearest_rank_ns(values, percent) / 1000
    assert exact_us <= recorded(values).percentile_us(float(percent)) <= exact_us * 1.0079


@given(st.integers(1, 200_000), st.sampled_from(PERCENTS))
def test_ranks_of_many_values_are_exact(count: int, percent: str) -> None:
    rank = max(1, ceil(Fraction(percent) * count / 100))
    below = (
        recorded([])
        if rank == 1
        else LatencyDistribution(((100, rank - 1),), rank - 1, 0, 100, 100)
    )
    at = LatencyDistribution(((200, 1),), 1, 0, 200, 200)
    above = (
        recorded([])
        if rank == count
        else LatencyDistribution(((250, count - rank),), count - rank, 0, 250, 250)
    )
    assert LatencyDistribution.merged([below, at, above]).percentile_us(float(percent)) == 0.2


# ---------------------------------------------------------------- what is kept of the values


@given(st.lists(any_values_ns, min_size=1))
def test_count_sum_least_and_greatest_are_exact(values: list[int]) -> None:
    latencies = recorded(values)
    assert latencies.count == len(values) == sum(count for _, count in latencies.buckets)
    assert latencies.sum_ns == sum(values)
    assert (latencies.min_ns, latencies.max_ns) == (min(values), max(values))
    assert (latencies.min_us, latencies.max_us) == (min(values) / 1000, max(values) / 1000)
    assert latencies.mean_us == sum(values) / len(values) / 1000
    assert latencies.over == sum(value_ns > MAX_NS for value_ns in values)
    assert list(latencies.buckets) == sorted(latencies.buckets)


def test_what_is_over_is_counted_in_the_last_bucket() -> None:
    latencies = recorded([MAX_NS, MAX_NS + 1, 7 * MAX_NS])
    assert latencies.buckets == ((BUCKETS - 1, 3),)
    assert (latencies.over, latencies.max_ns) == (2, 7 * MAX_NS)
    assert latencies.percentile_us(50) == MAX_NS / 1000
    assert latencies.percentile_us(100) == 7 * MAX_NS / 1000


def test_a_clock_that_goes_backwards_counts_as_nothing() -> None:
    assert recorded([-5, 10, -1]) == recorded([0, 0, 10])


@given(st.lists(st.lists(st.one_of(any_values_ns, st.integers(-9, 300)), max_size=9), max_size=5))
def test_recording_several_at_once_is_recording_each(parts: list[list[int]]) -> None:
    histogram = Histogram()
    for values in parts:
        histogram.record_all(values)
    assert histogram.take() == recorded(value_ns for values in parts for value_ns in values)


def test_nothing_recorded_is_nothing() -> None:
    assert (
        recorded([])
        == EMPTY
        == LatencyDistribution.merged([])
        == LatencyDistribution.merged([EMPTY, EMPTY])
    )
    assert EMPTY.percentile_us(99) == EMPTY.mean_us == EMPTY.max_us == 0.0


@given(st.lists(st.lists(any_values_ns, max_size=20), max_size=5))
def test_each_take_holds_what_came_since_the_last(intervals: list[list[int]]) -> None:
    histogram = Histogram()
    for values in intervals:
        for value_ns in values:
            histogram.record(value_ns)
        assert histogram.take() == recorded(values)
        assert histogram.take() == EMPTY


@given(st.lists(st.lists(any_values_ns, max_size=20), max_size=5))
def test_merging_is_recording_together(parts: list[list[int]]) -> None:
    merged = LatencyDistribution.merged(recorded(values) for values in parts)
    assert merged == recorded(value_ns for values in parts for value_ns in values)


def test_how_many_are_above_a_value() -> None:
    histogram = Histogram()
    for value_us in (10, 20, 999, 1_020, 5_000):
        histogram.record(value_us * 1_000)
    taken = histogram.take()
    assert [taken.above(limit) for limit in (0, 15, 1_000, 4_000, 6_000)] == [5, 4, 2, 1, 0]
