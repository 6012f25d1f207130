"""The result of a race that has come to its end."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from engines.summary import Summary
from tui.screens.inked import InkedScreen
from tui.verdict import finishes
from tui.view import Scene
from tui.widgets.key_bar import KeyBar
from tui.widgets.result_panel import ResultPanel


def _notes(summary: Summary) -> tuple[str, ...]:
    """What no lane's sentences say already."""
    return tuple(note for note in summary.notes() if "client-bound" not in note)


class ResultScreen(InkedScreen[None]):
    """Standings, reasons, and what must be said beside the numbers."""

    def __init__(self, summary: Summary, scene: Scene) -> None:
        super().__init__()
        self._summary = summary
        self._scene = scene

    def compose(self) -> ComposeResult:
        summary = self._summary
        with VerticalScroll():
            yield ResultPanel(
                finishes(summary), _notes(summary), summary.duration_s, glyphs=self._scene.glyphs
            )
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(KeyBar).scene = self._scene
