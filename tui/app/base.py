"""The base app: screen state, theme, colours and command palette."""

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

from engines.config.race_config import RaceConfig
from engines.results.summary import Summary
from tui.actions.catalog import ACTIONS, METHODS, is_available
from tui.app.feed import FrameFeed
from tui.app.painter import FramePainter
from tui.screens.race import RaceScreen
from tui.styles.themes import CYCLE, DARK, PLAIN, PROJECTOR, SIXTEEN, THEMES
from tui.terminal.capabilities import Terminal, started_environ
from tui.terminal.driver import TerminalDriver
from tui.view.state import ScreenState
from tui.view.view import View

COLOR_REMOVING_FILTERS = (Monochrome, NoColor)
"""Textual's filters that remove colours."""


class RaceApp(App[Summary]):
    """An app that shows a screen state in as many colours as the terminal has. Subclasses add the actions."""

    feed: FrameFeed
    settings: RaceConfig

    def __init__(self, screen_state: ScreenState, terminal: Terminal | None = None) -> None:
        super().__init__()
        self.terminal = terminal or Terminal.detect(
            started_environ(os.environ), getattr(sys.__stderr__, "encoding", None)
        )
        # NO_COLOR was already used to detect the terminal, and an option may have overruled it. Textual's own filters
        # for it would turn the terminal's own colours into black on black.
        self._filters = [
            part for part in self._filters if not isinstance(part, COLOR_REMOVING_FILTERS)
        ]
        self.no_color = self.terminal.color == "none"
        self.race_screen = RaceScreen()
        self._painter = FramePainter(self, self.race_screen)
        self._view: View | None = None
        """The newest view. The view of the screen state is older while the display is frozen."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = {"16": SIXTEEN, "none": PLAIN}.get(self.terminal.color, DARK).name
        self._theme_before_stage: str | None = None
        self._screen_state = replace(
            screen_state,
            presentation=replace(
                screen_state.presentation,
                glyphs=self.terminal.glyphs,
                themes=self.theme in CYCLE,
            ),
        )
        self.animation_level = "full" if self.terminal.animation else "none"
        self._set_colors()

    def _set_colors(self) -> None:
        """Make Rich use the detected or requested number of colours, whatever it would detect itself."""
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
        """Return `TerminalDriver` in place of Textual's driver for Linux."""
        usual = super().get_driver_class()
        return TerminalDriver if usual is LinuxDriver else usual

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return values of the theme variables for Textual's own themes."""
        return dict(DARK.variables)

    def get_default_screen(self) -> Screen[Any]:
        """Return the race screen."""
        return self.race_screen

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """Yield the available actions as commands of the palette."""
        for action in ACTIONS:
            if is_available(action.id, self._screen_state):
                yield SystemCommand(
                    action.name, f"{action.text} ({action.shown_key})", self._command(action.method)
                )

    def _command(self, method: str) -> Any:
        """Return a callback that runs an action."""

        async def run() -> None:
            await self.run_action(method)

        return run

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether the action has anything to do now. Textual calls this before it runs an action."""
        called = f"{action}({parameters[0]})" if parameters else action
        known = METHODS.get(called)
        return known is None or is_available(known.id, self._screen_state)

    def _show(self, **changes: Any) -> None:
        """Change fields of the screen state and draw it."""
        self._screen_state = replace(self._screen_state, **changes)
        self.push_screen_state()

    def _show_start(self, **changes: Any) -> None:
        """Change fields of the start's state and draw the screen state."""
        self._show(start=replace(self._screen_state.start, **changes))

    def _show_presentation(self, **changes: Any) -> None:
        """Change fields of the presentation and draw the screen state."""
        self._show(presentation=replace(self._screen_state.presentation, **changes))

    def push_screen_state(self) -> None:
        """Draw the screen state at once."""
        self._painter.draw(self._screen_state)

    def _set_stage(self, stage: bool) -> None:
        """Switch the stage layout on or off.

        With enough colours, the stage uses the projector's theme; the theme before it is restored afterwards.
        """
        self._screen_state = replace(
            self._screen_state, presentation=replace(self._screen_state.presentation, stage=stage)
        )
        if self.terminal.color in ("16", "none"):
            return
        if stage:
            self._theme_before_stage, self.theme = self.theme, PROJECTOR.name
        elif self._theme_before_stage is not None:
            self.theme, self._theme_before_stage = self._theme_before_stage, None

    def _toast(self, text: str, *, bad: bool = False) -> None:
        """Show `text` for three seconds, as an error if `bad`."""
        self.notify(text, severity="error" if bad else "information", markup=False, timeout=3)

    def _can_step(self, shown: str, now: float, wanted: float, step: int) -> bool:
        """Return whether a step changes the value; tell the user if it does not."""
        if wanted == now:
            self._toast(f"{shown} is the {'most' if step > 0 else 'least'} there is")
        return wanted != now
