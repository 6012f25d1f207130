"""The progress log of a race without a screen: its events on stderr, limited to a number that a person can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engines.errors import RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, Frame, LaneState
from engines.source import SourceInfo
from engines.text import one_line

WINDOW_S = 10.0
"""Length of a window. With a shorter one, `MOST` allows more lines a minute."""

MOST = 5
"""Lines for each lane in each window. With more, a lane that repeats its trouble twice a second hides a message that
another lane writes once."""

STATES = frozenset(state.value for state in LaneState)


class EventThrottle:
    """A limit to the events of a race, which performs no I/O.

    Events of a window above `MOST` are counted, and the count is a line at the end of the window. Without `states`, a
    plain change of state is no line: the line of the lane shows it.
    """

    def __init__(self, *, states: bool) -> None:
        self._states = states
        self._from_s: float | None = None
        self._told: dict[str | None, int] = {}

    def lines(self, frame: Frame) -> Iterator[str]:
        """Yield the lines for the events of a frame."""
        if self._from_s is None or frame.at_monotonic_s - self._from_s >= WINDOW_S:
            yield from self.rest()
            self._from_s = frame.at_monotonic_s
        for event in frame.events:
            if event.text in STATES and not self._states:
                continue
            told = self._told[event.lane] = self._told.get(event.lane, 0) + 1
            if told <= MOST:
                yield event_line(event)

    def rest(self) -> Iterator[str]:
        """Yield the counts of the events that this window left out, and begin a new window."""
        for lane, told in self._told.items():
            if told > MOST:
                more = told - MOST
                yield f"{lane or 'race'}: {more:,} more event{'s' if more > 1 else ''} of this kind or another"
        self._told = {}


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


def event_line(event: Event) -> str:
    """Return an event as a single line. Text from a server cannot add a line to it."""
    text = one_line(event.text)
    return f"{event.lane}: {text}" if event.lane else text
