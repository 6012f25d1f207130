"""The command palette: Textual's own, with the layout rule of all screens."""

from __future__ import annotations

from textual.command import CommandPalette

from tui.screens.base import StyledScreen


class Palette(CommandPalette, StyledScreen[None]):
    """The command palette, which finds every action by its name."""

    ID = "--command-palette"
    """The id by which Textual recognizes a command palette."""
