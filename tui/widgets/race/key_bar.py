"""The bottom line: the most important keys, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.actions.catalog import footer
from tui.draw.styled import QUIET, STRONG, Line, Span
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.widgets.base.panel import Panel


class KeyBar(Panel):
    """Keys and their labels in order of importance. The help screen lists all keys."""

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return one line with the actions that fit; an action that is too wide is skipped."""
        line: list[Span] = []
        for action in footer(screen_state):
            more: list[Span] = [
                (f" {action.shown_key}", STRONG),
                (f" {action.label_now(screen_state)} ", QUIET),
            ]
            if cells(line) + cells(more) > size.width:
                continue
            line += more
        return [tuple(line)]
