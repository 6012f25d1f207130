"""A panel that shows one lane."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.draw.styled import Line
from tui.view.state import ScreenState
from tui.view.view import LaneView
from tui.widgets.base.panel import Panel


class LanePanel(Panel):
    """Draws the lane in position `index` (from 0) of every scene; nothing while there is no such lane."""

    def __init__(self, index: int, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.index = index

    @property
    def number(self) -> int:
        """The lane's number as people count, and its key."""
        return self.index + 1

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        if screen_state.view is None or self.index >= len(screen_state.view.lanes):
            return []
        return self.draw_lane(screen_state, screen_state.view.lanes[self.index], size)

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        """The lines for the lane in so many cells. Pure."""
        raise NotImplementedError
