"""Pauses grow, are limited, and differ; reconnects to one server are limited together."""

from __future__ import annotations

from engines.driver.backoff import BURST_EVERY_NS, CAP_S, FIRST_S, PER_S, ReconnectLimit, delay_s


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


def limit_of(connections: int) -> tuple[Clock, ReconnectLimit]:
    clock = Clock()
    limit = ReconnectLimit(clock)
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


def test_an_attempt_that_succeeds_lets_the_others_go_but_not_again_and_again() -> None:
    clock, limit = limit_of(10)
    assert not limit.succeeded()  # nobody waits
    for _ in range(25):
        limit.take_turn(0)
    assert limit.succeeded()
    for _ in range(25):
        limit.take_turn(0)
    assert not limit.succeeded()
    clock.ns += BURST_EVERY_NS - 1
    for _ in range(500):
        limit.take_turn(0)
    assert not limit.succeeded()
    clock.ns += 1
    assert limit.succeeded()
