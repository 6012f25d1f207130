"""A screen that knows the inks, once for all of its widgets: to style them for each would cost as much as a widget."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.screen import Screen

from tui.ink import INKS

Result = TypeVar("Result")


class InkedScreen(Screen[Result]):
    """The colour of the ink NAME is that of the component class `ink--NAME`, which the app's stylesheet gives."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"ink--{ink}" for ink in INKS}
