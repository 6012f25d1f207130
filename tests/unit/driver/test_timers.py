"""Callbacks in the order of their due times."""

from engines.driver.timers import NEVER_NS, Timers


def test_due_callbacks_run_in_order_and_the_rest_wait() -> None:
    timers, ran = Timers(), list[str]()
    timers.at(30, lambda: ran.append("c"))
    timers.at(10, lambda: ran.append("a"))
    timers.at(20, lambda: ran.append("b"))
    assert timers.next_ns == 10
    timers.run(20)
    assert ran == ["a", "b"]
    assert timers.next_ns == 30
    timers.run(30)
    assert timers.next_ns == NEVER_NS


def test_a_callback_may_add_one_that_is_due_at_once() -> None:
    timers, ran = Timers(), list[str]()
    timers.at(10, lambda: timers.at(5, lambda: ran.append("late")))
    timers.run(10)
    assert ran == ["late"]
