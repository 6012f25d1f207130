"""Due times: fixed, evenly dealt out, and never moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.pacing import Pace


def test_operations_are_due_at_the_rate() -> None:
    pace = Pace(per_s=4.0, start_ns=1_000)
    assert [pace.take() for _ in range(4)] == [
        1_000,
        250_001_000,
        500_001_000,
        750_001_000,
    ]


@given(per_s=st.floats(0.5, 50_000), processes=st.integers(1, 5), count=st.integers(1, 300))
def test_processes_share_one_sequence(per_s: float, processes: int, count: int) -> None:
    alone = Pace(per_s, 0)
    shared = [Pace(per_s, 0, process, processes) for process in range(processes)]
    assert [alone.take() for _ in range(count)] == [
        shared[number % processes].take() for number in range(count)
    ]


@given(per_s=st.floats(0.5, 50_000), number=st.integers(0, 10**7))
def test_there_is_no_drift(per_s: float, number: int) -> None:
    pace = Pace(per_s, 0)
    pace._taken = number
    assert abs(pace._due_ns(number) - number * 1e9 / per_s) <= 1 + number * 1e9 / per_s * 1e-12


@given(
    per_s=st.floats(0.5, 50_000),
    processes=st.integers(1, 4),
    taken=st.integers(0, 200),
    now_ns=st.integers(0, 10**9),
)
def test_the_backlog_is_what_is_due_and_not_taken(
    per_s: float, processes: int, taken: int, now_ns: int
) -> None:
    pace = Pace(per_s, 0, processes - 1, processes)
    for _ in range(taken):
        pace.take()
    counted = 0
    probe = Pace(per_s, 0, processes - 1, processes)
    number = 0
    while number < 60_000 and probe.take() <= now_ns:
        number += 1
    counted = max(0, number - taken)
    if number < 60_000:
        assert abs(pace.backlog(now_ns) - counted) <= 1
        assert (pace.backlog(now_ns) == 0) == (counted == 0)


def test_time_left_out_makes_nothing_late_and_nothing_less_so() -> None:
    pace = Pace(per_s=10.0, start_ns=0)
    assert [pace.take() for _ in range(2)] == [0, 100_000_000]
    # At 450 ms those of 200, 300 and 400 ms are due; 2 s are left out from then on.
    assert pace.backlog(450_000_000) == 3
    pace.postpone(450_000_000, 2_450_000_000)
    assert pace.backlog(2_450_000_000) == 3
    assert pace.take() == 2_200_000_000
    # What lies before the first operation was never part of it.
    later = Pace(per_s=10.0, start_ns=1_000)
    later.postpone(0, 900)
    assert later.next_ns == 1_000
    later.postpone(0, 1_100)
    assert later.next_ns == 1_100
