"""What a race without a screen tells on stderr while it runs: events, as many as somebody can read. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from engines.metrics.frame import Event, Frame, LaneState
from engines.text import one_line

WINDOW_S = 10.0

MAX_EVENTS = 5
"""Lines for each lane in each window. What a lane in trouble says twice a second tells nobody more, and buries what
another says once."""

STATES = frozenset(state.value for state in LaneState)


class EventThrottle:
    """Picks the events to tell. Those above `MOST` are counted, and the count is told when the window is over.

    Without `states` a plain change of state is not told: the line of the lane says it.
    """

    def __init__(self, *, states: bool) -> None:
        self._states = states
        self._from_s: float | None = None
        self._counts: dict[str | None, int] = {}

    def lines(self, frame: Frame) -> Iterator[str]:
        """What to tell of a frame."""
        if self._from_s is None or frame.at_monotonic_s - self._from_s >= WINDOW_S:
            yield from self.rest()
            self._from_s = frame.at_monotonic_s
        for event in frame.events:
            if event.text in STATES and not self._states:
                continue
            number = self._counts[event.lane] = self._counts.get(event.lane, 0) + 1
            if number <= MAX_EVENTS:
                yield event_line(event)

    def rest(self) -> Iterator[str]:
        """How many events have not been told since the window began; a new one begins."""
        for lane, number in self._counts.items():
            if number > MAX_EVENTS:
                more = number - MAX_EVENTS
                yield f"{lane or 'race'}: {more:,} more event{'s' if more > 1 else ''} of this kind or another"
        self._counts = {}


def event_line(event: Event) -> str:
    """An event as one line, whatever a server put into it."""
    text = one_line(event.text)
    return f"{event.lane}: {text}" if event.lane else text
