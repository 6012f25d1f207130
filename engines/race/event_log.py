"""The events of a race that no frame holds yet."""

from __future__ import annotations

import time
from collections import deque

from engines.endpoints.redaction import redact
from engines.metrics.frame import Event
from engines.model.controls import Control
from engines.model.deaths import Death


class EventBuffer:
    """A buffer of events in the order of `note`. Any thread may add one. None is lost or taken twice."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def note(
        self,
        lane: str | None,
        text: str,
        *,
        control: Control | None = None,
        death: Death | None = None,
    ) -> None:
        """Add an event that happens now, of a lane or (None) of the race."""
        self._events.append(Event(time.time(), lane, redact(text), control, death))

    def take(self) -> tuple[Event, ...]:
        """Return the events since the last call, and remove them."""
        taken = []
        while self._events:
            taken.append(self._events.popleft())
        return tuple(taken)
