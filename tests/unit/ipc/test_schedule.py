"""Ends of the intervals of a run."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engines.ipc.schedule import Schedule


def test_the_last_warm_interval_ends_where_measuring_begins() -> None:
    schedule = Schedule(start_ns=100, measure_from_ns=350, stop_ns=None, interval_ns=100)
    assert [schedule.end_ns(index) for index in range(5)] == [200, 300, 350, 450, 550]


def test_without_a_warm_up_the_first_interval_is_measured() -> None:
    schedule = Schedule(start_ns=100, measure_from_ns=100, stop_ns=None, interval_ns=100)
    assert schedule.warm_intervals == 0
    assert schedule.end_ns(0) == 200


@given(start=st.integers(0, 10**12), warm=st.integers(0, 10**10), interval=st.integers(1, 10**9))
def test_ends_grow_and_one_is_the_end_of_the_warm_up(start: int, warm: int, interval: int) -> None:
    schedule = Schedule(start, start + warm, None, interval)
    first = max(0, schedule.warm_intervals - 3)
    ends = [schedule.end_ns(index) for index in range(first, schedule.warm_intervals + 3)]
    assert all(0 < b - a <= interval for a, b in pairwise(ends))
    if warm:
        assert schedule.end_ns(schedule.warm_intervals - 1) == start + warm
