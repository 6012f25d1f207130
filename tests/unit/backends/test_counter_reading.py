"""How far a server's counters have moved, whatever became of the server meanwhile."""

from __future__ import annotations

from engines.backends.counter_reading import CounterReading, counter_delta

BEFORE = CounterReading("one", 500.0, {"set_calls": 100, "get_calls": 7})


def test_the_same_server_s_counters_move_by_the_difference() -> None:
    now = CounterReading("one", 501.0, {"set_calls": 130, "get_calls": 7})
    assert counter_delta(BEFORE, now, 1.0) == {"set_calls": 30, "get_calls": 0}


def test_a_server_that_started_since_counts_from_zero() -> None:
    assert counter_delta(BEFORE, CounterReading("one", 0.0, {"set_calls": 250}), 1.0) == {
        "set_calls": 250
    }
    # Redis calls itself anew at every start.
    assert counter_delta(BEFORE, CounterReading("two", 3.0, {"set_calls": 250}), 2.5) == {
        "set_calls": 250
    }


def test_counters_that_were_reset_count_from_zero() -> None:
    now = CounterReading("one", 501.0, {"set_calls": 4, "get_calls": 9})
    assert counter_delta(BEFORE, now, 1.0) == {"set_calls": 4, "get_calls": 2}


def test_of_another_server_that_was_up_before_nobody_knows_how_far_it_had_counted() -> None:
    assert counter_delta(BEFORE, CounterReading("two", 501.0, {"set_calls": 130}), 1.0) is None
    assert counter_delta(BEFORE, CounterReading("two", 20.0, {"set_calls": 1}), 1.0) is None


def test_what_a_replica_copied_is_not_counted_when_it_is_a_primary() -> None:
    copying = CounterReading("one", 500.0, {"get_calls": 7}, {"set_calls": 100})
    still = CounterReading("one", 501.0, {"get_calls": 9}, {"set_calls": 180})
    assert counter_delta(copying, still, 1.0) == {"get_calls": 2}
    promoted = CounterReading("one", 502.0, {"get_calls": 9, "set_calls": 195})
    assert counter_delta(still, promoted, 1.0) == {"get_calls": 0, "set_calls": 15}


def test_a_counter_that_does_not_begin_at_zero_is_left_out_after_a_restart() -> None:
    before = CounterReading("s", 100.0, {"n": 5, "id": 900}, persistent=frozenset({"id"}))
    restarted = CounterReading("s", 1.0, {"n": 2, "id": 1_200}, persistent=frozenset({"id"}))
    assert counter_delta(before, restarted, 5.0) == {"n": 2}
    later = CounterReading("s", 105.0, {"n": 9, "id": 910}, persistent=frozenset({"id"}))
    assert counter_delta(before, later, 5.0) == {"n": 4, "id": 10}
