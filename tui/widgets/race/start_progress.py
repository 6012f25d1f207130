"""What is being done before the first numbers: servers, tables, connections."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.draw.format import clip, sanitize
from tui.draw.styled import BLANK, GOOD, QUIET, STRONG, TEXT, Line, justify
from tui.view.state import ScreenState
from tui.widgets.base.panel import Panel

MAX_CELLS = 78


class StartProgress(Panel):
    """A line for each step with the time since the start, the present one last, its time running."""

    DEFAULT_CSS = "StartProgress { height: 1fr; display: none; }"

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        width = min(MAX_CELLS, size.width - 2)
        steps = screen_state.progress
        lines: list[Line] = []
        for position, (text, at_s) in enumerate(steps):
            done = position + 1 < len(steps)
            mark = ("  ✓ ", GOOD) if done else ("  ▸ ", STRONG)
            took = f"{at_s if done else max(at_s, screen_state.starting_s):.1f} s"
            label = clip(sanitize(text), width - 12)
            lines.append(justify([mark, (label, QUIET if done else TEXT)], [(took, QUIET)], width))
        shown = lines[-max(1, size.height - 3) :]
        return [BLANK, (("  getting ready", STRONG),), BLANK, *shown][-size.height :]
