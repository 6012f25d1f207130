"""The line that says that there is more than fits, and which keys show it."""

from __future__ import annotations

from tui.draw.format import count
from tui.draw.styled import QUIET, WARN, Line
from tui.widgets.base.lines import LinesWidget


def scroll_line(top: int, height: int, total: int, *, ascii_only: bool) -> Line:
    """`top` is the first of the `height` lines on show, from 0, of `total`."""
    last = min(total, top + height)
    below = total - last
    more = f"{count(below)} lines below" if below else "the end"
    arrows = "up down" if ascii_only else "↑ ↓"
    return ((f" {more}", WARN if below else QUIET), (f"  {arrows} pgup pgdn home end", QUIET))


class ScrollHint(LinesWidget):
    """Not there while everything fits."""

    DEFAULT_CSS = "ScrollHint { height: 1; display: none; }"

    def __init__(self, *, glyphs: str) -> None:
        super().__init__()
        self.ascii_only = glyphs == "ascii"
        self._line: Line = ()

    def follow(self, top: int, height: int, total: int) -> None:
        """Say where a view of `height` of `total` lines stands."""
        self._line = scroll_line(top, height, total, ascii_only=self.ascii_only)
        # Its own row must not be what makes the rest too high: the view may have one row more without it.
        self.display = total > height + (1 if self.display else 0)
        self.show_lines([self._line])

    def on_resize(self) -> None:
        self._lines = []
        self.show_lines([self._line])
