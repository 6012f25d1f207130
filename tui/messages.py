"""Messages from the feed's thread to the screen."""

from __future__ import annotations

from textual.message import Message

from engines.model.connecting import LaneConnecting
from engines.model.lanes import LaneInfo
from tui.view.view import View


class Progress(Message):
    """A step of the source's start: `step` says what it does, `elapsed_s` is the time since the start in seconds."""

    def __init__(self, step: str | LaneConnecting, elapsed_s: float) -> None:
        super().__init__()
        self.step = step
        self.elapsed_s = elapsed_s


class LanesKnown(Message):
    """The lanes of a source that has started."""

    def __init__(self, lane_infos: tuple[LaneInfo, ...]) -> None:
        super().__init__()
        self.lane_infos = lane_infos


class VisiblePointsChanged(Message):
    """A new number of chart points on show: the last `points` ones."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.points = points


class ViewReady(Message):
    """A newer view. It replaces one that still waits in the queue: views are dropped, never queued."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view

    def can_replace(self, message: Message) -> bool:
        """Return whether `message` is an older view, which this one may replace in the queue."""
        return isinstance(message, ViewReady)


class SourceEnded(Message):
    """The end of the frames: the race is over, or `error` ended it."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.error = error
