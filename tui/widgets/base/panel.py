"""A widget that draws a screen state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Size
from textual.reactive import var

from tui.draw.styled import BAD, Line
from tui.view.state import ScreenState
from tui.widgets.base.lines import LinesWidget


class Panel(LinesWidget):
    """Rows that `draw` makes from a screen state, whenever the state or the size changes."""

    MISTAKE: ClassVar[str] = "cannot be drawn"
    """Text in place of the rows if `draw` raises an error."""

    screen_state: var[ScreenState | None] = var(None, always_update=True)

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return the lines for a screen state in `size` cells. Must be pure: equal arguments give equal lines."""
        raise NotImplementedError

    def watch_screen_state(self) -> None:
        """Draw the new screen state."""
        self.redraw()

    def on_resize(self) -> None:
        """Draw the screen state for the new size."""
        self._lines = []
        self.redraw()

    def redraw(self) -> None:
        """Draw the screen state, or an error text if `draw` raises: a mistake here must not end a race."""
        screen_state, size = self.screen_state, self.size
        if screen_state is None or not size:
            return
        self.ascii_only = screen_state.presentation.glyphs == "ascii"
        try:
            lines = self.draw(screen_state, size)
        except Exception as error:
            self.log.error(error)
            lines = [(((f"{self.MISTAKE}: {type(error).__name__}"), BAD),)]
        self.show_lines(lines)
