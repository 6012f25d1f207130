"""A widget that draws a scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Size
from textual.reactive import var

from tui.draw.styled import BAD, Line
from tui.view.state import ScreenState
from tui.widgets.base.lines import LinesWidget


class Panel(LinesWidget):
    """Rows that are made from a scene by `draw`, whenever the scene or the size changes."""

    MISTAKE: ClassVar[str] = "cannot be drawn"

    screen_state: var[ScreenState | None] = var(None, always_update=True)

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """The lines for a scene in so many cells. Pure: the same for the same arguments."""
        raise NotImplementedError

    def watch_screen_state(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self._lines = []
        self.redraw()

    def redraw(self) -> None:
        """Draw the scene, or say that it cannot be drawn: a mistake here must not end a race."""
        screen_state, size = self.screen_state, self.size
        if screen_state is None or not size:
            return
        self.ascii_only = screen_state.glyphs == "ascii"
        try:
            lines = self.draw(screen_state, size)
        except Exception as error:
            self.log.error(error)
            lines = [(((f"{self.MISTAKE}: {type(error).__name__}"), BAD),)]
        self.show_lines(lines)
