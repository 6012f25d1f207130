"""The help screen: all keys, made from the list of actions."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.screen import ModalScreen

from tui.actions.catalog import ACTIONS, BY_ID, is_available
from tui.draw.styled import BLANK, QUIET, STRONG, TEXT, Line
from tui.screens.base import StyledScreen
from tui.view.state import ScreenState
from tui.widgets.base.lines import LinesWidget

NOT_NOW = "not now: "
"""Text before the description of an action that has nothing to do now."""

KEYS_CELLS = 13
"""Width in cells of the margin and the keys before an action's text."""


def help_lines(screen_state: ScreenState, width: int) -> list[Line]:
    """Return a heading per group and a line per action; a text that is wider than `width` continues below."""
    about = wrapped("esc closes, ^p finds any of them by name", width, 8)
    lines: list[Line] = [
        (("        " if at else " keys   ", STRONG), (text, QUIET)) for at, text in enumerate(about)
    ]
    group = ""
    for action in ACTIONS:
        if action.group != group:
            group = action.group
            lines += [BLANK, ((f" {group}", STRONG),)]
        now = is_available(action.id, screen_state)
        keys = " ".join(action.shown_keys)
        text = action.text if now else NOT_NOW + action.text
        for at, part in enumerate(wrapped(text, width, KEYS_CELLS)):
            head = f"   {keys}" if not at else ""
            style = (STRONG, TEXT) if now else (QUIET, QUIET)
            lines.append(((f"{head:<{KEYS_CELLS}}", style[0]), (part, style[1])))
    return lines


def wrapped(text: str, width: int, left: int) -> list[str]:
    """Return `text` in lines that fit beside `left` cells."""
    return textwrap.wrap(text, max(12, width - left))


class HelpPanel(LinesWidget):
    """The list of keys in its full height."""

    DEFAULT_CSS = "HelpPanel { height: auto; }"

    def __init__(self, screen_state: ScreenState) -> None:
        super().__init__()
        self._screen_state = screen_state

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return the height of the list in rows for a width."""
        return len(help_lines(self._screen_state, width))

    def on_resize(self) -> None:
        """Draw the list for the new width."""
        self._lines = []
        self.show_lines(help_lines(self._screen_state, self.size.width))


class HelpScreen(StyledScreen[None], ModalScreen[None]):
    """The help screen. Any of the keys that open or leave it closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            ",".join(("escape", *BY_ID["help"].keys, "q", "enter")), "dismiss", "close", show=False
        )
    ]

    def __init__(self, screen_state: ScreenState) -> None:
        super().__init__()
        self._screen_state = screen_state

    def compose(self) -> ComposeResult:
        """Yield the scrollable list."""
        with VerticalScroll():
            yield HelpPanel(self._screen_state)
