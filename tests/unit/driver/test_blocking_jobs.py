"""Threads for blocking jobs."""

from __future__ import annotations

import threading
from time import monotonic, sleep

from engines.driver.blocking_jobs import JOBS_AT_ONCE, JOBS_OF_EACH_QUEUE, BlockingJobRunner


def own_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "connector"}


def test_its_threads_end_with_it() -> None:
    before = own_threads()
    runner = BlockingJobRunner()
    gate = threading.Event()
    for _ in range(JOBS_AT_ONCE + 1):
        runner.submit("a:1", gate.wait, lambda _: None, lambda _: None)
    assert len(own_threads() - before) == JOBS_AT_ONCE
    runner.close()
    gate.set()
    deadline_s = monotonic() + 10
    while own_threads() - before and monotonic() < deadline_s:
        sleep(0.01)
    assert own_threads() - before == set()


def test_threads_that_have_nothing_to_do_end_too() -> None:
    before = own_threads()
    runner = BlockingJobRunner()
    done: list[int] = []
    runner.submit("a:1", lambda: 1, done.append, lambda _: None)
    deadline_s = monotonic() + 10
    while not done and monotonic() < deadline_s:
        runner.deliver()
        sleep(0.001)
    assert done == [1]
    runner.close()
    while own_threads() - before and monotonic() < deadline_s:
        sleep(0.01)
    assert own_threads() - before == set()


def test_a_host_that_does_not_answer_delays_no_other_host() -> None:
    """With more connections to a host that drops packets than are opened at once, others do not wait for them."""
    runner = BlockingJobRunner()
    gate = threading.Event()
    done: list[str] = []
    under_way = threading.Semaphore(0)

    def silent() -> None:
        under_way.release()
        gate.wait(10)

    for _ in range(2 * JOBS_AT_ONCE):
        runner.submit("silent:1", silent, lambda _: done.append("silent"), lambda _: None)
    for name in ("alive:1", "topology"):
        runner.submit(name, lambda: None, lambda _, name=name: done.append(name), lambda _: None)  # type: ignore[misc]
    deadline_s = monotonic() + 10
    while len(done) < 2 and monotonic() < deadline_s:
        runner.deliver()
        sleep(0.001)
    assert sorted(done) == ["alive:1", "topology"]
    for _ in range(JOBS_AT_ONCE):
        assert under_way.acquire(timeout=10)
    assert not under_way.acquire(blocking=False)

    gate.set()
    while len(done) < 2 * JOBS_AT_ONCE + 2 and monotonic() < deadline_s:
        runner.deliver()
        sleep(0.001)
    assert done.count("silent") == 2 * JOBS_AT_ONCE
    runner.close()


def test_every_host_of_many_has_its_jobs_and_gets_more_when_others_are_done() -> None:
    """The nodes of a large cluster, the first of which takes every place that is not theirs."""
    runner = BlockingJobRunner()
    gates = {name: threading.Event() for name in ("first:1", "second:1", "third:1")}
    done: list[str] = []
    running = {name: threading.Semaphore(0) for name in gates}

    def wait(name: str) -> None:
        running[name].release()
        gates[name].wait(10)

    for name in gates:
        for _ in range(JOBS_AT_ONCE):
            runner.submit(
                name,
                lambda name=name: wait(name),  # type: ignore[misc]
                lambda _, name=name: done.append(name),  # type: ignore[misc]
                lambda _: None,
            )
    for name in ("second:1", "third:1"):
        for _ in range(JOBS_OF_EACH_QUEUE):
            assert running[name].acquire(timeout=10)
        assert not running[name].acquire(blocking=False)
    gates["first:1"].set()
    # The places of the first host go to the others, whose jobs nobody submits again.
    for _ in range(JOBS_AT_ONCE - 2 * JOBS_OF_EACH_QUEUE):
        assert running["second:1"].acquire(timeout=10)
    assert not running["second:1"].acquire(blocking=False)
    gates["second:1"].set()
    gates["third:1"].set()
    deadline_s = monotonic() + 10
    while len(done) < 3 * JOBS_AT_ONCE and monotonic() < deadline_s:
        runner.deliver()
        sleep(0.001)
    assert len(done) == 3 * JOBS_AT_ONCE
    runner.close()
