"""A panel that shows one lane."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.draw.styled import Line
from tui.view.state import ScreenState
from tui.view.view import LaneView
from tui.widgets.base.panel import Panel


class LanePanel(Panel):
    """A panel that draws the lane at position `index` (from 0); it is empty while there is no such lane."""

    def __init__(self, index: int, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.index = index

    @property
    def number(self) -> int:
        """Return the lane's number counted from 1, which is also its key."""
        return self.index + 1

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return the lines of the lane; nothing while there is no such lane."""
        if screen_state.view is None or self.index >= len(screen_state.view.lanes):
            return []
        return self.draw_lane(screen_state, screen_state.view.lanes[self.index], size)

    def draw_lane(self, screen_state: ScreenState, lane: LaneView, size: Size) -> Sequence[Line]:
        """Return the lines for the lane in `size` cells. Must be pure. Subclasses implement it."""
        raise NotImplementedError
