"""Show the countdown (three, two, one) as large as the terminal allows."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.draw.big_digits import largest, rows_of
from tui.draw.styled import BLANK, STRONG, Line
from tui.view.state import ScreenState
from tui.widgets.base.panel import Panel


class Countdown(Panel):
    """The number in the middle of the screen."""

    DEFAULT_CSS = "Countdown { height: 1fr; display: none; }"

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return the number in large digits; nothing while there is no countdown."""
        if screen_state.start.countdown is None:
            return []
        text, ascii_only = (
            str(screen_state.start.countdown),
            screen_state.presentation.glyphs == "ascii",
        )
        fits = largest(text, size.width, max(1, size.height - 2), ascii_only=ascii_only)
        rows = rows_of(text, *fits, ascii_only=ascii_only) if fits else (text,)
        left = " " * ((size.width - len(rows[0])) // 2)
        above = [BLANK] * ((size.height - len(rows)) // 2)
        return [*above, *(((left + row, STRONG),) for row in rows)]
