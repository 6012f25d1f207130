"""What happens in a race, until a frame tells it."""

from __future__ import annotations

import time
from collections import deque

from engines.metrics.frame import Event
from engines.model.controls import Control


class EventBuffer:
    """Events in the order in which they were noted. Any thread may note one; none is lost or told twice."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def note(self, lane: str | None, text: str, *, control: Control | None = None) -> None:
        """Something has happened now, to a lane or (None) to the race."""
        self._events.append(Event(time.time(), lane, text, control))

    def take(self) -> tuple[Event, ...]:
        """What has been noted since it was last taken."""
        taken = []
        while self._events:
            taken.append(self._events.popleft())
        return tuple(taken)
