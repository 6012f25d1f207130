"""The running sum of histograms is what recording everything in one would be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.metrics.histogram import EMPTY, MAX_NS, DistributionSum, Histogram

values_ns = st.integers(0, 2 * MAX_NS) | st.integers(0, 2000)


@given(parts=st.lists(st.lists(values_ns, max_size=8), max_size=6))
def test_adding_up_is_recording_all_in_one(parts: list[list[int]]) -> None:
    together = Histogram()
    distribution = DistributionSum()
    for part in parts:
        histogram = Histogram()
        for value_ns in part:
            histogram.record(value_ns)
            together.record(value_ns)
        distribution.add(histogram.take())
    assert distribution.latencies() == together.take()


def test_nothing_added_is_nothing() -> None:
    distribution = DistributionSum()
    distribution.add(EMPTY)
    assert distribution.latencies() == EMPTY


def test_adding_goes_on_after_reading() -> None:
    histogram = Histogram()
    histogram.record(0)
    histogram.record(1_000)
    one = histogram.take()
    distribution = DistributionSum()
    distribution.add(one)
    first = distribution.latencies()
    distribution.add(one)
    assert first == one
    assert distribution.latencies().count == 4
    assert distribution.latencies().sum_ns == 2_000
    assert distribution.latencies().min_ns == 0
