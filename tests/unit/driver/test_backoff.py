"""Pauses grow, are limited, and differ; reconnects to one server are limited together."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import pairwise
from threading import Thread

import pytest

from engines.driver.backoff import (
    BURST_EVERY_NS,
    CAP_S,
    FIRST_S,
    MOST_PER_S,
    PER_S,
    ReconnectLimit,
    delay_s,
)


def test_delays_double_up_to_the_cap_with_jitter_over_the_upper_half() -> None:
    for failures, longest in ((1, FIRST_S), (2, 2 * FIRST_S), (4, 8 * FIRST_S), (1000, CAP_S)):
        delays = {delay_s(failures) for _ in range(200)}
        assert longest / 2 <= min(delays)
        assert max(delays) <= longest
        assert len(delays) > 100


class Clock:
    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


def limit_of(connections: int, processes: int = 1) -> tuple[Clock, ReconnectLimit]:
    clock = Clock()
    limit = ReconnectLimit(processes, clock)
    for _ in range(connections):
        limit.add_connection()
    return clock, limit


def test_each_connection_goes_at_once_and_then_all_of_them_at_the_rate() -> None:
    _, limit = limit_of(3)
    turns = [limit.take_turn(0) for _ in range(5)]
    assert turns == [0, 0, 0, 1_000_000_000 // PER_S, 2_000_000_000 // PER_S]
    assert limit.take_turn(77_000_000_000) == 77_000_000_000


def test_no_more_turns_are_saved_up_than_there_are_connections() -> None:
    clock, limit = limit_of(2)
    clock.ns = 3_600_000_000_000
    turns = [limit.take_turn(0) - clock.ns for _ in range(3)]
    assert turns == [0, 0, 1_000_000_000 // PER_S]
    limit.remove_connection()
    clock.ns *= 2
    assert [limit.take_turn(0) - clock.ns for _ in range(2)] == [0, 1_000_000_000 // PER_S]


def test_connections_that_come_and_go_bring_no_further_attempts() -> None:
    _, limit = limit_of(10)
    for _ in range(500):
        limit.remove_connection()
        limit.add_connection()
    turns = [limit.take_turn(0) for _ in range(11)]
    assert turns == [0] * 10 + [1_000_000_000 // PER_S]


def test_an_attempt_that_succeeds_lets_the_others_go_but_not_again_and_again() -> None:
    clock, limit = limit_of(10)
    assert not limit.succeeded()  # nobody waits
    for _ in range(25):
        limit.take_turn(0)
    assert limit.succeeded()
    for _ in range(25):
        limit.take_turn(0)
    assert not limit.succeeded()
    # It goes on to lose connections, so the next time is twice as long away.
    for _ in range(4):
        clock.ns += BURST_EVERY_NS // 2 - 1
        for _ in range(500):
            limit.take_turn(0)
        assert not limit.succeeded()
    clock.ns += 4
    assert limit.succeeded()


def test_a_server_that_kept_its_connections_for_a_while_gets_them_at_once_again() -> None:
    clock, limit = limit_of(10)
    for _ in range(5):
        for _ in range(25):
            limit.take_turn(0)
        assert limit.is_troubled
        assert limit.succeeded()
        clock.ns += BURST_EVERY_NS
        assert not limit.is_troubled


@pytest.mark.parametrize("connections", [16, 200, 1_000])
def test_a_server_that_takes_every_connection_and_closes_it_gets_few_in_the_long_run(
    connections: int,
) -> None:
    """Each connection is opened when it is its turn, is closed at once, and asks for the next."""
    clock, limit = limit_of(connections)
    waiting = [limit.take_turn(0) for _ in range(connections)]
    heapify(waiting)
    opened_ns: list[int] = []
    while clock.ns < 3_600_000_000_000:
        clock.ns = max(clock.ns, heappop(waiting))
        limit.pass_gate(clock.sleep)
        opened_ns.append(clock.ns)
        if limit.succeeded():
            waiting = [min(due_ns, clock.ns) for due_ns in waiting]
            heapify(waiting)
        heappush(waiting, limit.take_turn(clock.ns))
    # All at once ten times in an hour at most: at 0, 20, 60, 140 s and so on.
    assert len(opened_ns) <= 3_600 * PER_S + 10 * connections
    last_half_hour = sum(at_ns > 1_800_000_000_000 for at_ns in opened_ns)
    assert last_half_hour <= 1_800 * PER_S + connections


def test_the_numbers_that_security_md_promises() -> None:
    assert (PER_S, MOST_PER_S) == (20, 200)


@pytest.mark.parametrize("processes", [1, 2, 4, 8, 60, 150, 1_000])
def test_the_rate_is_that_of_all_processes_together(processes: int) -> None:
    """Each of them takes turns for a minute, whenever it may."""
    clock, limit = limit_of(1, processes)
    turns = 0
    while clock.ns < 60_000_000_000:
        clock.ns = max(limit.take_turn(clock.ns), clock.ns)
        turns += 1
    # One at once for the connection, and one that is due at the end.
    assert processes * (turns - 2) <= 60 * PER_S
    assert turns >= 60 * PER_S // processes


@pytest.mark.parametrize("processes", [1, 2, 4, 8, 60, 150])
def test_no_second_has_more_attempts_than_promised_whatever_is_at_once(processes: int) -> None:
    """A thousand connections of each process, all of which may go at once."""
    clock, limit = limit_of(1_000, processes)
    clock.ns = began_ns = 5_000_000_000
    passed_ns = []
    for _ in range(500):
        passed_ns.append(limit.pass_gate(clock.sleep))
    in_a_second = max(
        sum(0 <= at_ns - from_ns <= 1_000_000_000 for at_ns in passed_ns)
        for from_ns in passed_ns[:250]
    )
    assert processes * in_a_second <= MOST_PER_S
    assert passed_ns[0] == began_ns
    if processes == 1:
        assert in_a_second > 0.9 * MOST_PER_S


def test_threads_pass_the_gate_one_after_the_other() -> None:
    limit = ReconnectLimit(8)
    passed_ns: list[int] = []

    def go() -> None:
        passed_ns.append(limit.pass_gate())

    threads = [Thread(target=go) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed_ns.sort()
    gaps_ns = [later - earlier for earlier, later in pairwise(passed_ns)]
    assert min(gaps_ns) >= limit._gap_ns >= 8 * 1_000_000_000 // MOST_PER_S
