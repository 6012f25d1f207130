"""The threads for what would block the loop."""

from __future__ import annotations

import threading
from time import monotonic, sleep

from engines.connector import THREADS, Connector


def own_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "connector"}


def test_its_threads_end_with_it() -> None:
    before = own_threads()
    connector = Connector()
    gate = threading.Event()
    for _ in range(THREADS + 1):
        connector.submit(gate.wait, lambda _: None, lambda _: None)
    assert len(own_threads() - before) == THREADS
    connector.close()
    gate.set()
    deadline_s = monotonic() + 10
    while own_threads() - before and monotonic() < deadline_s:
        sleep(0.01)
    assert own_threads() - before == set()


def test_threads_that_have_nothing_to_do_end_too() -> None:
    before = own_threads()
    connector = Connector()
    done: list[int] = []
    connector.submit(lambda: 1, done.append, lambda _: None)
    deadline_s = monotonic() + 10
    while not done and monotonic() < deadline_s:
        connector.deliver()
        sleep(0.001)
    assert done == [1]
    connector.close()
    while own_threads() - before and monotonic() < deadline_s:
        sleep(0.01)
    assert own_threads() - before == set()
