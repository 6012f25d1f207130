"""Threads for what would block the loop: opening connections and asking for a cluster's topology."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import TypeVar

JOBS_PER_QUEUE = 2
"""How many jobs with the same subject run at a time; the others wait for them. A host that does not answer keeps
each for seconds, and delays no other host."""

T = TypeVar("T")


class BlockingJobRunner:
    """Runs jobs on a few daemon threads and hands their results back to the loop.

    The loop watches `wake` for reading and calls `deliver`, which runs the callbacks in the loop's own thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._jobs: dict[str, deque[Callable[[], Callable[[], None]]]] = {}
        """By subject, what waits for a thread."""
        self._running: dict[str, int] = {}
        """By subject, how many threads it has. A thread ends when nothing waits for it."""
        self._results: deque[Callable[[], None]] = deque()
        self.wake, self._waker = socket.socketpair()
        self.wake.setblocking(False)
        self._waker.setblocking(False)

    def submit(
        self,
        queue: str,
        job: Callable[[], T],
        succeeded: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run `job` on a thread, then one of the callbacks in the loop. It waits for no jobs but those with the same
        `subject`: the address that it connects to, or what it asks for."""

        def work() -> Callable[[], None]:
            try:
                result = job()
            except Exception as error:
                reason = error
                return lambda: failed(reason)
            return lambda: succeeded(result)

        with self._lock:
            self._jobs.setdefault(queue, deque()).append(work)
            running = self._running.get(queue, 0)
            if running == JOBS_PER_QUEUE:
                return
            self._running[queue] = running + 1
        Thread(target=self._serve, args=(queue,), name="connector", daemon=True).start()

    def _serve(self, queue: str) -> None:
        while (work := self._next(queue)) is not None:
            self._results.append(work())
            try:
                self._waker.send(b"\0")
            except BlockingIOError:
                pass  # The loop has more wake-up bytes waiting than it will read in one go.
            except OSError:
                return

    def _next(self, queue: str) -> Callable[[], Callable[[], None]] | None:
        """The next job for a thread of `subject`; None when it has to end."""
        with self._lock:
            waiting = self._jobs.get(queue)
            if waiting:
                return waiting.popleft()
            self._running[queue] -= 1
            if not self._running[queue]:
                self._jobs.pop(queue, None)
                del self._running[queue]
            return None

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
        with self._lock:
            self._jobs.clear()
