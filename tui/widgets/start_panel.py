"""What is being done before the first numbers: servers, tables, connections."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.figures import clipped, plain
from tui.ink import BLANK, GOOD, QUIET, STRONG, TEXT, Line, spread
from tui.view import Scene
from tui.widgets.panel import Panel

COLUMN = 64


class StartPanel(Panel):
    """A line for each step with the time it took, the present one last."""

    DEFAULT_CSS = "StartPanel { height: 1fr; display: none; }"

    def draw(self, scene: Scene, size: Size) -> Sequence[Line]:
        width = min(COLUMN, size.width - 2)
        steps = scene.progress
        lines: list[Line] = []
        for position, (text, began_s) in enumerate(steps):
            done = position + 1 < len(steps)
            ended_s = steps[position + 1][1] if done else scene.starting_s
            mark = ("  ✓ ", GOOD) if done else ("  ▸ ", STRONG)
            took = f"{max(0.0, ended_s - began_s):.1f} s"
            words = clipped(plain(text), width - 12)
            lines.append(spread([mark, (words, QUIET if done else TEXT)], [(took, QUIET)], width))
        shown = lines[-max(1, size.height - 3) :]
        return [BLANK, (("  getting ready", STRONG),), BLANK, *shown][-size.height :]
