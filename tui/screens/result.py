"""The result of a race that has come to its end."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from tui.report.race_report import RaceReport
from tui.screens.base import StyledScreen
from tui.view.state import ScreenState
from tui.widgets.race.key_bar import KeyBar
from tui.widgets.result.result_panel import ResultPanel
from tui.widgets.result.scroll_hint import ScrollHint


class ResultScroll(VerticalScroll):
    """Takes the focus, and with it the keys; tells its screen when it moves or changes its size."""

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        self._request_follow()

    def on_resize(self) -> None:
        self._request_follow()

    def _request_follow(self) -> None:
        screen = self.screen
        if isinstance(screen, ResultScreen):
            screen.call_after_refresh(screen.follow)


class ResultScreen(StyledScreen[None]):
    """Standings, reasons, and what must be said beside the numbers."""

    def __init__(self, report: RaceReport, screen_state: ScreenState) -> None:
        super().__init__()
        self._report = report
        self._screen_state = screen_state

    def compose(self) -> ComposeResult:
        with ResultScroll():
            yield ResultPanel(self._report, glyphs=self._screen_state.glyphs)
        yield ScrollHint(glyphs=self._screen_state.glyphs)
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(KeyBar).screen_state = self._screen_state
        self.call_after_refresh(self.follow)

    def follow(self) -> None:
        """Say how much there is above and below."""
        scroll = self.query_one(ResultScroll)
        self.query_one(ScrollHint).follow(
            round(scroll.scroll_y), scroll.size.height, scroll.virtual_size.height
        )
