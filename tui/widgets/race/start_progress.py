"""Show the steps of the start (servers, tables, connections) before the first numbers."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engines.model.connecting import LaneConnecting
from engines.results.connecting_text import connecting_text
from tui.draw.format import clip, sanitize
from tui.draw.styled import BLANK, GOOD, QUIET, STRONG, TEXT, Line, justify
from tui.view.state import ScreenState
from tui.widgets.base.panel import Panel

MAX_CELLS = 78
"""Maximum width of a line in cells: on a wide screen the times stay near the texts."""


class StartProgress(Panel):
    """A line for each step with the time since the start. The time of a step that is not over runs.

    A step is over once another has begun. How far the lanes are with their connections stands below the step that
    opens them, and is over when all of them are open.
    """

    DEFAULT_CSS = "StartProgress { height: 1fr; display: none; }"

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return a title and the latest steps that fit."""
        width = min(MAX_CELLS, size.width - 2)
        steps = screen_state.start.progress
        lines: list[Line] = []
        for position, step in enumerate(steps):
            what = step.what
            done = any(
                not isinstance(later.what, LaneConnecting) for later in steps[position + 1 :]
            )
            if isinstance(what, LaneConnecting):
                done = done or what.complete
                text = connecting_text(what)
            else:
                text = what
            mark = ("  ✓ ", GOOD) if done else ("  ▸ ", STRONG)
            took = f"{step.at_s if done else max(step.at_s, screen_state.start.starting_s):.1f} s"
            label = clip(sanitize(text), width - 12)
            lines.append(justify([mark, (label, QUIET if done else TEXT)], [(took, QUIET)], width))
        shown = lines[-max(1, size.height - 3) :]
        return [BLANK, (("  getting ready", STRONG),), BLANK, *shown][-size.height :]
