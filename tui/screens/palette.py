"""The command palette: Textual's own, laid out for no size but the terminal's."""

from __future__ import annotations

from textual.command import CommandPalette

from tui.screens.base import StyledScreen


class Palette(CommandPalette, StyledScreen[None]):
    """Every action by its name."""

    ID = "--command-palette"
    """By which Textual knows a palette."""
