"""Which cars are being loaded into the cache, to tell a stampede from a single miss."""

from __future__ import annotations


class FillTracker:
    """The fills of one engine process.

    A fill is a duplicate when another fill of the same car was under way at any moment between the GET that missed
    and its own SET: one that has not ended yet, or one that ended after this operation began. Of n readers that miss
    a car together, n - 1 are duplicates.
    """

    __slots__ = ("_ended_ns", "_running")

    def __init__(self) -> None:
        self._running: dict[int, int] = {}
        self._ended_ns: dict[int, int] = {}

    def begin(self, car_id: int, missed_from_ns: int) -> bool:
        """Note a fill whose operation began at `missed_from_ns`; whether it is a duplicate."""
        running = self._running.get(car_id, 0)
        self._running[car_id] = running + 1
        return running > 0 or self._ended_ns.get(car_id, -1) >= missed_from_ns

    def end(self, car_id: int, now_ns: int | None) -> None:
        """Note the end of a fill, at `now_ns`; None when it came to nothing."""
        running = self._running[car_id] - 1
        if running:
            self._running[car_id] = running
        else:
            del self._running[car_id]
        if now_ns is not None:
            self._ended_ns[car_id] = now_ns
