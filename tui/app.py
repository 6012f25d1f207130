"""The race on the screen, from its start to its result."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from engines.config import Race
from engines.summary import Summary
from tui.actions import ACTIONS, bindings
from tui.driver import TerminalDriver
from tui.feed import Feed
from tui.history import WINDOWS_S
from tui.host import Host
from tui.messages import Lineup, SourceEnded, ViewReady
from tui.screens.race import RaceScreen
from tui.setup import Setup
from tui.source import Narrate, Source, SourceFactory
from tui.terminal import Terminal
from tui.themes import DARK, PLAIN, SIXTEEN, THEMES
from tui.view import Scene, View

TICK_S = 0.05
"""How often the screen looks how late its own event loop is."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

HANGUP_CODE = 128 + signal.SIGHUP

FRAME_INTERVAL_S = 0.25
"""The interval of the frames that are asked for, however many of them are shown."""


def race_source(settings: Race) -> SourceFactory:
    """The usual source: a race with these settings, on real servers."""

    def make(narrate: Narrate) -> Source:
        # Not before it is needed: the screen is there before the engines are loaded.
        from engines import race

        return race.Race(settings, interval_s=FRAME_INTERVAL_S, narrate=narrate)

    return make


class Telemon(App[Summary]):
    """Shows a race. `run` returns what was measured, or None when nothing was; it raises what kept the race from
    starting. `return_code` is 1 when the screen or the race broke; `fault` then says how."""

    TITLE = "telemon"
    CSS_PATH = "screens/race.tcss"
    BINDINGS: ClassVar[list[BindingType]] = list(bindings())

    def __init__(
        self,
        settings: Race,
        source_factory: SourceFactory | None = None,
        *,
        terminal: Terminal | None = None,
        host: Host | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.terminal = terminal or Terminal.detect(
            os.environ, getattr(sys.__stderr__, "encoding", None)
        )
        self.fault: str | None = None
        self.shown = 0
        """How many pictures were drawn."""
        self.worst_lag_s = 0.0
        """How late the screen's event loop was at worst."""
        self.leave_result = False
        """Whether to end with the race instead of showing its result."""
        self._lag_s = 0.0
        self.race_screen = RaceScreen()
        self._scene = Scene(setup=Setup.of(settings), glyphs=self.terminal.glyphs)
        self._view: View | None = None
        self.feed = Feed(
            settings,
            source_factory or race_source(settings),
            self.post_message,
            fps=self.terminal.fps,
            host=host or Host(),
        )
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = {"16": SIXTEEN, "none": PLAIN}.get(self.terminal.color, DARK).name
        self.animation_level = "full" if self.terminal.animation else "none"

    def get_driver_class(self) -> type[Driver]:
        usual = super().get_driver_class()
        return TerminalDriver if usual is LinuxDriver else usual

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def get_default_screen(self) -> Screen[Any]:
        return self.race_screen

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002
        for action in ACTIONS:
            yield SystemCommand(
                action.name, f"{action.text} ({action.shown_key})", self._command(action.method)
            )

    def _command(self, method: str) -> Any:
        async def run() -> None:
            await self.run_action(method)

        return run

    def on_mount(self) -> None:
        self.push_scene()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            # Not in a thread other than the main one, as under a test's pilot.
            with suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self.end, 128 + number)
        self._tick_due_s = time.monotonic() + TICK_S
        self.set_interval(TICK_S, self._tick)
        self.feed.start()

    def _tick(self) -> None:
        """See how late this is: so late would a key be, or a picture."""
        now_s = time.monotonic()
        lag_s = max(0.0, now_s - self._tick_due_s)
        self._tick_due_s = now_s + TICK_S
        self._lag_s = max(self._lag_s, lag_s)
        self.worst_lag_s = max(self.worst_lag_s, lag_s)

    # ------------------------------------------------------------ what the feed says

    @on(Lineup)
    def _lineup(self, message: Lineup) -> None:
        self._scene = replace(self._scene, entrants=message.entrants)
        self.push_scene()

    @on(ViewReady)
    def _view_ready(self, message: ViewReady) -> None:
        self._view = message.view
        self.feed.taken()
        if self._scene.frozen or self._backlog():
            # A terminal that has not taken the last picture yet gets the next but one.
            return
        self._scene = replace(self._scene, view=message.view, screen_lag_s=self._lag_s)
        self._lag_s = 0.0
        self.shown += 1
        self.push_scene()

    def _backlog(self) -> int:
        driver = self._driver
        return driver.backlog if isinstance(driver, TerminalDriver) else 0

    @on(SourceEnded)
    def _source_ended(self) -> None:
        self.exit(self.feed.summary)

    def push_scene(self) -> None:
        """Draw the scene, in one go."""
        with self.batch_update():
            self.race_screen.scene = self._scene

    # ------------------------------------------------------------ what the user asks for

    def action_freeze(self) -> None:
        """Hold the picture, or show the present again."""
        frozen = not self._scene.frozen
        self._scene = replace(
            self._scene, frozen=frozen, view=self._scene.view if frozen else self._view
        )
        self.push_scene()

    async def action_quit(self) -> None:
        self.end()

    def end(self, code: int = 0) -> None:
        """End the race and leave the screen; `run` hands back what was measured."""
        self.feed.stop()
        self.exit(self.feed.summary, return_code=code)

    def terminal_gone(self) -> None:
        """Called by the driver from its own thread: there is nobody to show anything to."""
        self.feed.stop()
        self.fault = "the terminal is gone"
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self.end, HANGUP_CODE)

    def action_longer_window(self) -> None:
        self._change_window(1)

    def action_shorter_window(self) -> None:
        self._change_window(-1)

    def _change_window(self, step: int) -> None:
        view = self._view
        if view is None:
            return
        place = WINDOWS_S.index(view.window_s) + step
        if 0 <= place < len(WINDOWS_S):
            self.feed.resize(WINDOWS_S[place])

    def action_axis(self) -> None:
        self._scene = replace(self._scene, shared_axis=not self._scene.shared_axis)
        self.push_scene()

    # ------------------------------------------------------------ start and end

    def run(self, **options: Any) -> Summary | None:
        """Show the race until it is over or the user quits. Takes what `textual.app.App.run` takes."""
        options.setdefault("mouse", self.terminal.mouse)
        try:
            super().run(**options)
        finally:
            self.feed.stop()
            self.feed.join()
        error = self.feed.error
        if error is not None and self.feed.summary is None:
            raise error
        return self.feed.summary
