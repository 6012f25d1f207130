"""What the thread that takes frames tells the screen."""

from __future__ import annotations

from textual.message import Message

from engines.model.lanes import LaneInfo
from tui.view.view import View


class Progress(Message):
    """The source is starting: `text` says what it does now."""

    def __init__(self, text: str, elapsed_s: float) -> None:
        super().__init__()
        self.text = text
        self.elapsed_s = elapsed_s


class LanesKnown(Message):
    """The source has started, and these are its lanes."""

    def __init__(self, lane_infos: tuple[LaneInfo, ...]) -> None:
        super().__init__()
        self.lane_infos = lane_infos


class VisiblePointsChanged(Message):
    """The charts now show so many points of the past."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.points = points


class ViewReady(Message):
    """There is a newer picture. One that still waits is replaced: pictures are dropped, never queued."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ViewReady)


class SourceEnded(Message):
    """There are no more frames: the race is over, or `error` ended it."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.error = error
