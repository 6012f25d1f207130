"""Timers of the event loop."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

NEVER_NS = 1 << 62
"""A time that is never reached."""


class Timers:
    """Callbacks ordered by due time in ns of `perf_counter_ns`.

    A callback cannot be cancelled; it must check itself whether it still applies.
    """

    __slots__ = ("_heap", "_order", "next_ns")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self.next_ns = NEVER_NS
        """When the next callback is due; `NEVER_NS` if there is none."""

    def at(self, due_ns: int, callback: Callable[[], None]) -> None:
        """Call `callback` from `run` once `due_ns` is reached."""
        heappush(self._heap, (due_ns, next(self._order), callback))
        self.next_ns = self._heap[0][0]

    def run(self, now_ns: int) -> None:
        """Call every callback that is due at `now_ns`, also those that a callback adds and that are due."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            heappop(heap)[2]()
        self.next_ns = heap[0][0] if heap else NEVER_NS
