"""Show the steps of the start (servers, tables, connections) before the first numbers."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.draw.format import clip, sanitize
from tui.draw.styled import BLANK, GOOD, QUIET, STRONG, TEXT, Line, justify
from tui.view.state import ScreenState
from tui.widgets.base.panel import Panel

MAX_CELLS = 78
"""Maximum width of a line in cells: on a wide screen the times stay near the texts."""


class StartProgress(Panel):
    """A line for each step with the time since the start. The current step is the last one, and its time runs."""

    DEFAULT_CSS = "StartProgress { height: 1fr; display: none; }"

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return a title and the latest steps that fit."""
        width = min(MAX_CELLS, size.width - 2)
        steps = screen_state.start.progress
        lines: list[Line] = []
        for position, (text, at_s) in enumerate(steps):
            done = position + 1 < len(steps)
            mark = ("  ✓ ", GOOD) if done else ("  ▸ ", STRONG)
            took = f"{at_s if done else max(at_s, screen_state.start.starting_s):.1f} s"
            label = clip(sanitize(text), width - 12)
            lines.append(justify([mark, (label, QUIET if done else TEXT)], [(took, QUIET)], width))
        shown = lines[-max(1, size.height - 3) :]
        return [BLANK, (("  getting ready", STRONG),), BLANK, *shown][-size.height :]
