"""An app that shows a scene, in as many colours as its terminal has."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from rich.console import Console
from textual.app import App, SystemCommand
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from engines.results.summary import Summary
from tui.actions.catalog import ACTIONS, METHODS, is_available
from tui.app.feed import FrameFeed
from tui.app.painter import FramePainter
from tui.screens.race import RaceScreen
from tui.styles.themes import CYCLE, DARK, PLAIN, PROJECTOR, SIXTEEN, THEMES
from tui.terminal.capabilities import Terminal
from tui.terminal.driver import TerminalDriver
from tui.view.state import ScreenState
from tui.view.view import View

GREYING = (Monochrome, NoColor)
"""The filters that take colours away."""


class RaceApp(App[Summary]):
    """The scene and how it looks; what can be done with it is added by those that are made from this."""

    feed: FrameFeed

    def __init__(self, screen_state: ScreenState, terminal: Terminal | None = None) -> None:
        super().__init__()
        self.terminal = terminal or Terminal.detect(
            os.environ, getattr(sys.__stderr__, "encoding", None)
        )
        # NO_COLOR is one of the signs that the terminal was detected by, and may have been overruled. What Textual
        # does for it makes of the terminal's own colours black on black.
        self._filters = [part for part in self._filters if not isinstance(part, GREYING)]
        self.no_color = self.terminal.color == "none"
        self.race_screen = RaceScreen()
        self._painter = FramePainter(self, self.race_screen)
        self._view: View | None = None
        """The newest picture; that of the scene may be frozen."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = {"16": SIXTEEN, "none": PLAIN}.get(self.terminal.color, DARK).name
        self._theme_before_stage: str | None = None
        self._screen_state = replace(
            screen_state, glyphs=self.terminal.glyphs, themes=self.theme in CYCLE
        )
        self.animation_level = "full" if self.terminal.animation else "none"
        self._set_colors()

    def _set_colors(self) -> None:
        """Make Rich use as many colours as were found or asked for, whatever it would make of the environment."""
        systems: dict[str, Literal["standard", "256", "truecolor"]] = {
            "16": "standard", "none": "standard", "256": "256", "truecolor": "truecolor",
        }  # fmt: skip
        self.console = Console(
            color_system=systems[self.terminal.color],
            file=self.console.file,
            markup=True, highlight=False, emoji=False, legacy_windows=False, force_terminal=True,
            safe_box=False, soft_wrap=False, no_color=False,
        )  # fmt: skip

    def get_driver_class(self) -> type[Driver]:
        usual = super().get_driver_class()
        return TerminalDriver if usual is LinuxDriver else usual

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def get_default_screen(self) -> Screen[Any]:
        return self.race_screen

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002
        for action in ACTIONS:
            if is_available(action.id, self._screen_state):
                yield SystemCommand(
                    action.name, f"{action.text} ({action.shown_key})", self._command(action.method)
                )

    def _command(self, method: str) -> Any:
        async def run() -> None:
            await self.run_action(method)

        return run

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        called = f"{action}({parameters[0]})" if parameters else action
        known = METHODS.get(called)
        return known is None or is_available(known.id, self._screen_state)

    def _show(self, **changes: Any) -> None:
        self._screen_state = replace(self._screen_state, **changes)
        self.push_screen_state()

    def push_screen_state(self) -> None:
        """Draw the scene at once."""
        self._painter.draw(self._screen_state)

    def _set_stage(self, stage: bool) -> None:
        """The stage has the projector's theme, and gives back the one before."""
        self._screen_state = replace(self._screen_state, stage=stage)
        if self.terminal.color in ("16", "none"):
            return
        if stage:
            self._theme_before_stage, self.theme = self.theme, PROJECTOR.name
        elif self._theme_before_stage is not None:
            self.theme, self._theme_before_stage = self._theme_before_stage, None

    def _tell(self, text: str, *, bad: bool = False) -> None:
        self.notify(text, severity="error" if bad else "information", markup=False, timeout=3)

    def _moves(self, shown: str, now: float, wanted: float, step: int) -> bool:
        """Whether a step leads anywhere; where not, say so."""
        if wanted == now:
            self._tell(f"{shown} is the {'most' if step > 0 else 'least'} there is")
        return wanted != now
