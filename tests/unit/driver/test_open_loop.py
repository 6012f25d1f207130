"""Due times: fixed, assigned evenly, and never moved."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from engines.driver.open_loop import ArrivalSchedule, RateSegment


def test_operations_are_due_at_the_rate() -> None:
    arrivals = ArrivalSchedule(per_s=4.0, start_ns=1_000)
    assert [arrivals.take() for _ in range(4)] == [
        1_000,
        250_001_000,
        500_001_000,
        750_001_000,
    ]


@given(per_s=st.floats(0.5, 50_000), processes=st.integers(1, 5), count=st.integers(1, 300))
def test_processes_share_one_sequence(per_s: float, processes: int, count: int) -> None:
    alone = ArrivalSchedule(per_s, 0)
    shared = [ArrivalSchedule(per_s, 0, process, processes) for process in range(processes)]
    assert [alone.take() for _ in range(count)] == [
        shared[number % processes].take() for number in range(count)
    ]


@given(per_s=st.floats(0.5, 50_000), number=st.integers(0, 10**7))
def test_there_is_no_drift(per_s: float, number: int) -> None:
    segment = RateSegment(per_s, 0, 0, 1)
    assert abs(segment.due_ns(number) - number * 1e9 / per_s) <= 1 + number * 1e9 / per_s * 1e-12


@given(
    per_s=st.floats(0.5, 50_000),
    processes=st.integers(1, 4),
    taken=st.integers(0, 200),
    now_ns=st.integers(0, 10**9),
)
def test_the_backlog_is_what_is_due_and_not_taken(
    per_s: float, processes: int, taken: int, now_ns: int
) -> None:
    arrivals = ArrivalSchedule(per_s, 0, processes - 1, processes)
    for _ in range(taken):
        arrivals.take()
    counted = 0
    probe = ArrivalSchedule(per_s, 0, processes - 1, processes)
    number = 0
    while number < 60_000 and probe.take() <= now_ns:
        number += 1
    counted = max(0, number - taken)
    if number < 60_000:
        assert abs(arrivals.backlog(now_ns) - counted) <= 1
        assert (arrivals.backlog(now_ns) == 0) == (counted == 0)


def test_postponing_changes_the_lateness_of_no_operation() -> None:
    arrivals = ArrivalSchedule(per_s=10.0, start_ns=0)
    assert [arrivals.take() for _ in range(2)] == [0, 100_000_000]
    # At 450 ms the operations of 200, 300 and 400 ms are due; 2 s are cut out from then on.
    assert arrivals.backlog(450_000_000) == 3
    arrivals.postpone(450_000_000, 2_450_000_000)
    assert arrivals.backlog(2_450_000_000) == 3
    assert arrivals.take() == 2_200_000_000
    # Time before the first operation was never part of the schedule.
    later = ArrivalSchedule(per_s=10.0, start_ns=1_000)
    later.postpone(0, 900)
    assert later.next_ns == 1_000
    later.postpone(0, 1_100)
    assert later.next_ns == 1_100


def test_a_change_of_rate_keeps_the_backlog() -> None:
    arrivals = ArrivalSchedule(per_s=10.0, start_ns=0)
    assert arrivals.take() == 0
    # At 350 ms the operations of 100, 200 and 300 ms are due. From then on the rate is four per
    # second.
    arrivals.change(4.0, 350_000_000)
    assert arrivals.per_s == 4.0
    assert arrivals.backlog(350_000_000) == 3 + 1
    assert arrivals.backlog(900_000_000) == 3 + 3
    assert [arrivals.take() for _ in range(5)] == [
        100_000_000,
        200_000_000,
        300_000_000,
        350_000_000,
        600_000_000,
    ]
    assert arrivals.next_ns == 850_000_000
    # Without a backlog only the rate changes.
    arrivals.change(100.0, 700_000_000)
    assert [arrivals.take() for _ in range(2)] == [700_000_000, 710_000_000]


def test_postponing_moves_the_backlog_of_every_segment() -> None:
    arrivals = ArrivalSchedule(per_s=10.0, start_ns=0)
    arrivals.change(100.0, 150_000_000)
    arrivals.postpone(155_000_000, 1_155_000_000)
    assert arrivals.backlog(1_155_000_000) == 3
    assert [arrivals.take() for _ in range(4)] == [
        1_000_000_000,
        1_100_000_000,
        1_150_000_000,
        1_160_000_000,
    ]


@example(rates=[60.0, 61.0], every_ns=50_000_000, taken=0, process=0)
@given(
    rates=st.lists(st.floats(0.5, 2_000), min_size=1, max_size=6),
    every_ns=st.integers(1, 10**8),
    taken=st.integers(0, 30),
    process=st.integers(0, 2),
)
def test_whatever_the_rates_were_the_backlog_is_what_can_be_taken(
    rates: list[float], every_ns: int, taken: int, process: int
) -> None:
    arrivals = ArrivalSchedule(rates[0], 0, process, 3)
    due = []
    for number, per_s in enumerate(rates):
        start_ns, end_ns = number * every_ns, (number + 1) * every_ns
        if number:
            arrivals.change(per_s, start_ns)
        alone = ArrivalSchedule(per_s, start_ns, process, 3)
        while alone.next_ns < end_ns:
            due.append(alone.take())
        while due and taken and arrivals.next_ns < end_ns:
            assert arrivals.take() == due.pop(0)
            taken -= 1
    now_ns = len(rates) * every_ns - 1
    assert abs(arrivals.backlog(now_ns) - len(due)) <= len(
        rates
    )  # One of each stretch, by rounding.
    assert [arrivals.take() for _ in due] == due


def test_an_overloaded_lane_bears_any_number_of_changes() -> None:
    arrivals = ArrivalSchedule(per_s=1_000.0, start_ns=0)
    for number in range(1, 5_000):
        arrivals.change(1_000.0 + number % 2, number * 10_000_000)
    assert arrivals.backlog(50_000_000_000) >= 50_000
    assert [arrivals.take() for _ in range(50_000)][-1] <= 50_000_000_000
