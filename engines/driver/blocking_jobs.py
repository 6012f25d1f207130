"""Threads for work that would block the event loop: opening connections and fetching a cluster's slot map."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import TypeVar

JOBS_PER_QUEUE = 2
"""How many jobs of one queue run at the same time; the others wait. A host that does not answer blocks each of its jobs
for seconds, but delays no other host."""

T = TypeVar("T")


class BlockingJobRunner:
    """Runs jobs on daemon threads and passes their results to the event loop.

    The loop watches `wake` for reading and calls `deliver`, which runs the callbacks in the loop's thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._jobs: dict[str, deque[Callable[[], Callable[[], None]]]] = {}
        """By queue, the jobs that wait for a thread."""
        self._running: dict[str, int] = {}
        """By queue, its number of threads. A thread ends when its queue is empty."""
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
        """Run `job` on a thread, then call `succeeded` or `failed` in the loop's thread; does not block.

        `queue` names what the job talks to: an address to connect to, or a question. A job waits only for jobs of its
        own queue. `failed` receives the exception that the job raised.
        """

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
        """Run the jobs of `queue` on this thread until none is left."""
        while (work := self._next(queue)) is not None:
            self._results.append(work())
            try:
                self._waker.send(b"\0")
            except BlockingIOError:
                pass  # The loop has enough unread wake-up bytes.
            except OSError:
                return

    def _next(self, queue: str) -> Callable[[], Callable[[], None]] | None:
        """Return the next job of `queue`, or None after giving up the thread's place because none waits."""
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
        """Run the callbacks of finished jobs."""
        try:
            while len(self.wake.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        while self._results:
            self._results.popleft()()

    def close(self) -> None:
        """Stop the threads after their current jobs, whose results are discarded; does not block."""
        self.wake.close()
        self._waker.close()
        with self._lock:
            self._jobs.clear()
