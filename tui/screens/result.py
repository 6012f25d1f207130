"""The result of a race that has come to its end."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from tui.report.race_report import Account
from tui.screens.base import InkedScreen
from tui.view.state import Scene
from tui.widgets.race.key_bar import KeyBar
from tui.widgets.result.result_panel import ResultPanel
from tui.widgets.result.scroll_hint import ScrollLine


class Scroll(VerticalScroll):
    """Takes the focus, and with it the keys; tells its screen when it moves or changes its size."""

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        self._tell()

    def on_resize(self) -> None:
        self._tell()

    def _tell(self) -> None:
        screen = self.screen
        if isinstance(screen, ResultScreen):
            screen.call_after_refresh(screen.follow)


class ResultScreen(InkedScreen[None]):
    """Standings, reasons, and what must be said beside the numbers."""

    def __init__(self, account: Account, scene: Scene) -> None:
        super().__init__()
        self._account = account
        self._scene = scene

    def compose(self) -> ComposeResult:
        with Scroll():
            yield ResultPanel(self._account, glyphs=self._scene.glyphs)
        yield ScrollLine(glyphs=self._scene.glyphs)
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(KeyBar).scene = self._scene
        self.call_after_refresh(self.follow)

    def follow(self) -> None:
        """Say how much there is above and below."""
        scroll = self.query_one(Scroll)
        self.query_one(ScrollLine).follow(
            round(scroll.scroll_y), scroll.size.height, scroll.virtual_size.height
        )
