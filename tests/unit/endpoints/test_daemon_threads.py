"""Work on daemon threads: order, errors, and that nobody is kept by work that never ends."""

from __future__ import annotations

import time
from threading import Event, Lock, Timer

import pytest

from engines.endpoints.daemon_threads import in_parallel, in_thread
from engines.endpoints.deadline import Deadline, DeadlineError, EndedError


def test_results_come_in_the_order_of_the_items_from_so_many_threads() -> None:
    lock, running, most = Lock(), 0, 0

    def work(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02 * (5 - item))
        with lock:
            running -= 1
        return item * item

    assert list(in_parallel(work, range(5), 2)) == [0, 1, 4, 9, 16]
    assert most == 2
    assert list(in_parallel(work, [], 2)) == []


def test_an_error_comes_in_the_place_of_its_result() -> None:
    found = []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        for result in in_parallel(lambda item: 6 // item, [3, 2, 0, 1], 4):
            found.append(result)
    assert found == [2, 3]


def test_work_that_never_ends_is_left_behind() -> None:
    never = Event()
    with pytest.raises(TimeoutError, match="too late"):
        in_thread(never.wait, 0.1, "too late")
    with pytest.raises(DeadlineError), Deadline("asking", 0.1):
        in_thread(never.wait, 20.0, "too late")
    start = Deadline("the start", None)
    Timer(0.1, start.end).start()
    with start, pytest.raises(EndedError):
        in_thread(never.wait, 20.0, "too late")
    never.set()


def test_its_result_and_its_error_are_handed_on() -> None:
    assert in_thread(lambda: 7, 5.0, "late") == 7
    with pytest.raises(LookupError):
        in_thread(lambda: [0][1], 5.0, "late")
