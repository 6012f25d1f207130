"""What every screen of telemon is: it knows the inks, and it is laid out for no size but the terminal's own.

The inks are styled once for all widgets: to style them for each would cost as much as a widget.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.geometry import Size
from textual.screen import Screen

from tui.draw.styled import STYLES

Result = TypeVar("Result")


class StyledScreen(Screen[Result]):
    """The colour of the ink NAME is that of the component class `style--NAME`, which the app's stylesheet gives."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"style--{style}" for style in STYLES}

    def _screen_resized(self, size: Size) -> None:
        """Pass over a size that the terminal no longer has.

        Textual's screen, laid out for a size, sends itself that size again. Two sizes under way at once, as when a
        window is dragged or a session attached, would follow each other for ever, on a whole core.
        """
        if size == self.app.size:
            super()._screen_resized(size)
