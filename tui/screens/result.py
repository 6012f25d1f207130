"""The result screen, shown when a race is over."""

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
    """The scrollable container of the result. It has the focus, and reports scrolling and resizing to its screen."""

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Update the scroll hint after scrolling."""
        super().watch_scroll_y(old, new)
        self._request_follow()

    def on_resize(self) -> None:
        """Update the scroll hint after resizing."""
        self._request_follow()

    def _request_follow(self) -> None:
        """Let the screen update its scroll hint after the next refresh."""
        screen = self.screen
        if isinstance(screen, ResultScreen):
            screen.call_after_refresh(screen.follow)


class ResultScreen(StyledScreen[None]):
    """The result panel, the scroll hint and the keys."""

    def __init__(self, report: RaceReport, screen_state: ScreenState) -> None:
        super().__init__()
        self._report = report
        self._screen_state = screen_state

    def compose(self) -> ComposeResult:
        """Yield the widgets of the screen."""
        with ResultScroll():
            yield ResultPanel(self._report, glyphs=self._screen_state.presentation.glyphs)
        yield ScrollHint(glyphs=self._screen_state.presentation.glyphs)
        yield KeyBar()

    def on_mount(self) -> None:
        """Draw the keys and the scroll hint."""
        self.query_one(KeyBar).screen_state = self._screen_state
        self.call_after_refresh(self.follow)

    def follow(self) -> None:
        """Update the scroll hint with the position of the result."""
        scroll = self.query_one(ResultScroll)
        self.query_one(ScrollHint).follow(
            round(scroll.scroll_y), scroll.size.height, scroll.virtual_size.height
        )
