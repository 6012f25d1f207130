"""Threads for what would block the loop: opening connections and asking for a cluster's topology."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar


def _nothing() -> Callable[[], None]:
    return lambda: None


THREADS = 4
"""So that a host that does not answer delays no more than its share of the other connects."""

T = TypeVar("T")


class Connector:
    """Runs jobs on a few daemon threads and hands their results back to the loop.

    The loop watches `wake` for reading and calls `deliver`, which runs the callbacks in the loop's own thread.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], Callable[[], None]]] = SimpleQueue()
        self._results: deque[Callable[[], None]] = deque()
        self._threads = 0
        self.wake, self._waker = socket.socketpair()
        self.wake.setblocking(False)
        self._waker.setblocking(False)

    def submit(
        self,
        job: Callable[[], T],
        succeeded: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run `job` on a thread, then one of the callbacks in the loop."""

        def work() -> Callable[[], None]:
            try:
                result = job()
            except Exception as error:
                reason = error
                return lambda: failed(reason)
            return lambda: succeeded(result)

        self._jobs.put(work)
        if self._threads < THREADS:
            self._threads += 1
            Thread(target=self._serve, name="connector", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._results.append(self._jobs.get()())
            try:
                self._waker.send(b"\0")
            except BlockingIOError:
                pass  # The loop has more wake-up bytes waiting than it will read in one go.
            except OSError:
                return

    def deliver(self) -> None:
        """Run the callbacks of the jobs that are over."""
        try:
            while len(self.wake.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        while self._results:
            self._results.popleft()()

    def close(self) -> None:
        """End its threads, each after the job that it is at: the results go nowhere."""
        self.wake.close()
        self._waker.close()
        for _ in range(self._threads):
            self._jobs.put(_nothing)
