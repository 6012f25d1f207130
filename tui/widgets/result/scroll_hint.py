"""The line that says how much is below, and which keys scroll."""

from __future__ import annotations

from tui.draw.format import count
from tui.draw.styled import QUIET, WARN, Line
from tui.widgets.base.lines import LinesWidget


def scroll_line(top: int, height: int, total: int, *, ascii_only: bool) -> Line:
    """Return the hint for a view of `height` of `total` lines, whose first visible line is `top` (from 0)."""
    last = min(total, top + height)
    below = total - last
    more = f"{count(below)} lines below" if below else "the end"
    arrows = "up down" if ascii_only else "↑ ↓"
    return ((f" {more}", WARN if below else QUIET), (f"  {arrows} pgup pgdn home end", QUIET))


class ScrollHint(LinesWidget):
    """A hint that is hidden while everything fits."""

    DEFAULT_CSS = "ScrollHint { height: 1; display: none; }"

    def __init__(self, *, glyphs: str) -> None:
        super().__init__()
        self.ascii_only = glyphs == "ascii"
        self._line: Line = ()

    def follow(self, top: int, height: int, total: int) -> None:
        """Show the position of a view of `height` of `total` lines, whose first visible line is `top` (from 0)."""
        self._line = scroll_line(top, height, total, ascii_only=self.ascii_only)
        # Without the hint the view is one row higher, so the hint alone must not make the result too high.
        self.display = total > height + (1 if self.display else 0)
        self.show_lines([self._line])

    def on_resize(self) -> None:
        """Draw the line for the new width."""
        self._lines = []
        self.show_lines([self._line])
