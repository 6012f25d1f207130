"""Detection of duplicate cache fills, which tell a stampede from a single miss."""

from __future__ import annotations


class FillTracker:
    """Cache fills of one engine process.

    A fill is a duplicate if another fill of the same key was in flight at any moment between the GET that missed and
    the SET of this fill: either it has not ended yet, or it ended after this operation began. If n readers miss a key
    together, n - 1 fills are duplicates.
    """

    __slots__ = ("_ended_ns", "_running")

    def __init__(self) -> None:
        self._running: dict[int, int] = {}
        self._ended_ns: dict[int, int] = {}

    def begin(self, car_id: int, missed_from_ns: int) -> bool:
        """Record the start of a fill whose operation began at `missed_from_ns`; return whether it is a duplicate."""
        running = self._running.get(car_id, 0)
        self._running[car_id] = running + 1
        return running > 0 or self._ended_ns.get(car_id, -1) >= missed_from_ns

    def end(self, car_id: int, now_ns: int | None) -> None:
        """Record the end of a fill at `now_ns`, or its failure (None)."""
        running = self._running[car_id] - 1
        if running:
            self._running[car_id] = running
        else:
            del self._running[car_id]
        if now_ns is not None:
            self._ended_ns[car_id] = now_ns
