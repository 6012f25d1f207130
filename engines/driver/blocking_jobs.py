"""Threads for work that would block the event loop: opening connections and fetching a cluster's slot map."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import TypeVar

JOBS_AT_ONCE = 64
"""How many jobs run at the same time; the others wait. Opening a connection to MySQL over TLS takes nine round trips:
1,024 of them over 40 ms take 6 s with 64 at once, and three minutes with two. More would overrun what a server keeps
for connections that it has not accepted yet (80 in MySQL)."""

JOBS_OF_EACH_QUEUE = 2
"""How many jobs of each queue run whatever the other queues do. A host that does not answer blocks each of its jobs for
seconds, but keeps no other host from being connected to."""

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
        """By queue, its number of threads. A thread ends when no job waits for it."""
        self._threads = 0
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

        `queue` names what the job talks to: an address to connect to, or a question. `JOBS_OF_EACH_QUEUE` jobs of a
        queue wait for no other queue. `failed` receives the exception that the job raised.
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
            if not self._may_run(queue):
                return
            self._begin(queue)
        Thread(target=self._serve, args=(queue,), name="connector", daemon=True).start()

    def _may_run(self, queue: str) -> bool:
        """Return whether one more job of `queue` may run now."""
        return self._threads < JOBS_AT_ONCE or self._running.get(queue, 0) < JOBS_OF_EACH_QUEUE

    def _begin(self, queue: str) -> None:
        """Count one more thread, for `queue`."""
        self._running[queue] = self._running.get(queue, 0) + 1
        self._threads += 1

    def _serve(self, queue: str) -> None:
        """Run the jobs of `queue` on this thread until none is left, then those of others that wait for a thread."""
        serving: str | None = queue
        while serving is not None:
            while (work := self._next(serving)) is not None:
                self._results.append(work())
                try:
                    self._waker.send(b"\0")
                except BlockingIOError:
                    pass  # The loop has enough unread wake-up bytes.
                except OSError:
                    return
            serving = self._leave(serving)

    def _next(self, queue: str) -> Callable[[], Callable[[], None]] | None:
        """Return the next job of `queue`, None if none waits."""
        with self._lock:
            waiting = self._jobs.get(queue)
            return waiting.popleft() if waiting else None

    def _leave(self, queue: str) -> str | None:
        """Give up the thread's place at `queue`. Return another queue whose jobs wait, where it has a place now."""
        with self._lock:
            self._threads -= 1
            self._running[queue] -= 1
            if not self._running[queue]:
                del self._running[queue]
                if not self._jobs.get(queue):
                    self._jobs.pop(queue, None)
            for other, waiting in self._jobs.items():
                if waiting and self._may_run(other):
                    self._begin(other)
                    return other
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
