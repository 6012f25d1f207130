"""Threads for blocking jobs."""

from __future__ import annotations

import threading
from time import monotonic, sleep

from engines.driver.blocking_jobs import JOBS_PER_QUEUE, BlockingJobRunner


def own_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "connector"}


def test_its_threads_end_with_it() -> None:
    before = own_threads()
    runner = BlockingJobRunner()
    gate = threading.Event()
    for _ in range(JOBS_PER_QUEUE + 1):
        runner.submit("a:1", gate.wait, lambda _: None, lambda _: None)
    assert len(own_threads() - before) == JOBS_PER_QUEUE
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
    """With 64 connections to a host that drops packets, other jobs do not wait for its timeouts."""
    runner = BlockingJobRunner()
    gate = threading.Event()
    done: list[str] = []
    under_way = threading.Semaphore(0)

    def silent() -> None:
        under_way.release()
        gate.wait(10)

    for _ in range(64):
        runner.submit("silent:1", silent, lambda _: done.append("silent"), lambda _: None)
    for name in ("alive:1", "topology"):
        runner.submit(name, lambda: None, lambda _, name=name: done.append(name), lambda _: None)  # type: ignore[misc]
    deadline_s = monotonic() + 10
    while len(done) < 2 and monotonic() < deadline_s:
        runner.deliver()
        sleep(0.001)
    assert sorted(done) == ["alive:1", "topology"]
    for _ in range(JOBS_PER_QUEUE):
        assert under_way.acquire(timeout=10)
    assert not under_way.acquire(blocking=False)

    gate.set()
    while len(done) < 66 and monotonic() < deadline_s:
        runner.deliver()
        sleep(0.001)
    assert done.count("silent") == 64
    runner.close()
