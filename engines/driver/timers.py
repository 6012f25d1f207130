"""What a reactor has to do later."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

NEVER_NS = 1 << 62


class Timers:
    """Callbacks in order of their due time (perf_counter_ns). A callback that has lost its reason checks so itself."""

    __slots__ = ("_heap", "_order", "next_ns")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self.next_ns = NEVER_NS
        """When the next callback is due; `NEVER_NS` when there is none."""

    def at(self, due_ns: int, callback: Callable[[], None]) -> None:
        heappush(self._heap, (due_ns, next(self._order), callback))
        self.next_ns = self._heap[0][0]

    def run(self, now_ns: int) -> None:
        """Call everything that is due at `now_ns`, callbacks added meanwhile only when they are due too."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            heappop(heap)[2]()
        self.next_ns = heap[0][0] if heap else NEVER_NS
