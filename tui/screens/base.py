"""The base class of all screens: component styles, and layout for the terminal's current size only.

Performance: the styles are resolved once per screen. Resolving them for each widget would cost as much as the widget.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.geometry import Size
from textual.screen import Screen

from tui.draw.styled import STYLES

Result = TypeVar("Result")


class StyledScreen(Screen[Result]):
    """A screen with a component class `style--NAME` for each style name; the app's stylesheet gives its colours."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"style--{style}" for style in STYLES}

    def _screen_resized(self, size: Size) -> None:
        """Ignore a size that the terminal no longer has.

        When Textual's screen has been laid out for a size, it sends itself that size again. With two sizes in the queue
        at once, as when a window is dragged or a session attached, they would follow each other endlessly and use a
        whole core.
        """
        if size == self.app.size:
            super()._screen_resized(size)
