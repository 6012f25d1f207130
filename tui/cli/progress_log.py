"""The progress log of a race without a screen: events on stderr, limited in number."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from engines.errors import RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, Frame, LaneState
from engines.model.connecting import LaneConnecting
from engines.results.connecting_text import connecting_text
from engines.source import SourceInfo
from engines.text import one_line

WINDOW_S = 10.0
"""Length in seconds of the window in which events are counted."""

MAX_EVENTS = 5
"""Maximum number of lines per lane and window.

More would be repetitions of a lane in trouble, and would hide the events of other lanes.
"""

CONNECTING_EVERY_S = 2.0
"""Minimum time in seconds between two lines about the connections of one lane."""

STATES = frozenset(state.value for state in LaneState)
"""Texts of events that only report a change of state."""


class EventThrottle:
    """A filter for the events to log.

    At most `MAX_EVENTS` events are logged per lane and window. The others are counted, and their number is logged at
    the end of the window. A death is always logged. Without `states`, a plain change of state is not logged, because
    the lane's own line shows it.
    """

    def __init__(self, *, states: bool) -> None:
        self._states = states
        self._from_s: float | None = None
        self._counts: dict[str | None, int] = {}

    def lines(self, frame: Frame) -> Iterator[str]:
        """Yield the lines to log for a frame."""
        if self._from_s is None or frame.at_monotonic_s - self._from_s >= WINDOW_S:
            yield from self.rest()
            self._from_s = frame.at_monotonic_s
        for event in frame.events:
            if event.text in STATES and not self._states:
                continue
            if event.death is not None:
                yield event_line(event)
                continue
            number = self._counts[event.lane] = self._counts.get(event.lane, 0) + 1
            if number <= MAX_EVENTS:
                yield event_line(event)

    def rest(self) -> Iterator[str]:
        """Yield the number of events of each lane that were not logged in this window, and begin a new window."""
        for lane, number in self._counts.items():
            if number > MAX_EVENTS:
                more = number - MAX_EVENTS
                yield f"{lane or 'race'}: {more:,} more event{'s' if more > 1 else ''} of this kind or another"
        self._counts = {}


class ProgressLog:
    """The consumer of frames that passes the lines of a throttle to `write`, which must raise no exception."""

    def __init__(self, throttle: EventThrottle, write: Callable[[str], None]) -> None:
        self._throttle = throttle
        self._write = write

    def start(self, _source: SourceInfo) -> None:
        """Do nothing: the source has reported its start already."""

    def frame(self, frame: Frame) -> None:
        """Write the events of a frame."""
        for line in self._throttle.lines(frame):
            self._write(line)

    def finish(self, _closing: ClosingCounts, error: RaceError | None) -> None:
        """Write the counts of the last window. After an error, that error is the last line."""
        if error is None:
            for line in self._throttle.rest():
                self._write(line)


class StartLog:
    """The callback for the steps of a start, which passes them to `write` as lines.

    How far a lane is with its connections is written once in `CONNECTING_EVERY_S`, and when all of them are open.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._written_s: dict[str, float] = {}
        """By lane, when its connections were written of last (monotonic clock)."""

    def __call__(self, step: str | LaneConnecting) -> None:
        """Write `step`, unless a line on the same lane is still new."""
        if isinstance(step, str):
            self._write(step)
            return
        now_s = time.monotonic()
        written_s = self._written_s.get(step.lane, float("-inf"))
        if step.complete or now_s - written_s >= CONNECTING_EVERY_S:
            self._written_s[step.lane] = now_s
            self._write(connecting_text(step))


def event_line(event: Event) -> str:
    """Return an event in one line, with control characters escaped."""
    text = one_line(event.text)
    return f"{event.lane}: {text}" if event.lane else text
