"""All keys, made from the one list of actions."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.screen import ModalScreen

from tui.actions import ACTIONS
from tui.ink import BLANK, QUIET, STRONG, TEXT, Line
from tui.screens.inked import InkedScreen
from tui.widgets.rows import Rows


def help_lines() -> list[Line]:
    """A heading per group, a line per action."""
    lines: list[Line] = [
        ((" keys", STRONG), ("   esc closes, ^p finds any of them by name", QUIET))
    ]
    group = ""
    for action in ACTIONS:
        if action.group != group:
            group = action.group
            lines += [BLANK, ((f" {group}", STRONG),)]
        keys = " ".join(action.shown_keys)
        lines.append(((f"   {keys:<10}", STRONG), (action.text, TEXT)))
    return lines


class HelpPanel(Rows):
    """The list, as high as it is."""

    DEFAULT_CSS = "HelpPanel { height: auto; }"

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(help_lines())

    def on_resize(self) -> None:
        self._lines = []
        self.show_lines(help_lines())


class HelpScreen(InkedScreen[None], ModalScreen[None]):
    """Closes with any of the keys that open or leave it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q,enter", "dismiss", "close", show=False)
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield HelpPanel()
