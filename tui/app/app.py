"""The race on the screen, from its start to its result."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from rich.segment import Segments
from textual import on
from textual.binding import BindingType

from engines.config.race_config import RaceConfig
from engines.config.settings import DEBUG_ENV
from engines.paths import PACKAGE_ROOT
from engines.results.summary import Summary
from engines.source import FrameSource, FrameSourceFactory, ProgressCallback
from tui.actions.catalog import bindings
from tui.app.feed import FrameFeed
from tui.app.load_actions import LoadActions
from tui.app.view_actions import ViewActions
from tui.draw.format import sanitize
from tui.messages import LanesKnown, Progress, SourceEnded, ViewReady, VisiblePointsChanged
from tui.report.race_report import build_report
from tui.screens.result import ResultScreen
from tui.terminal.capabilities import Terminal
from tui.terminal.driver import TerminalDriver
from tui.view.host_load import HostMonitor
from tui.view.load_settings import LoadSettings
from tui.view.state import ScreenState

STYLESHEETS = PACKAGE_ROOT / "tui" / "styles"

TICK_S = 0.05
"""How often the screen looks how late its own event loop is."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

HANGUP_CODE = 128 + signal.SIGHUP

FRAME_INTERVAL_S = 0.25
"""The interval of the frames that are asked for, however many of them are shown."""

SETTLED = 3
"""The first pictures are laid out anew; from here on only cells change."""


def race_source(settings: RaceConfig, *, hold: bool = False) -> FrameSourceFactory:
    """The usual source: a race with these settings, on real servers."""

    def make(on_progress: ProgressCallback) -> FrameSource:
        # Not before it is needed: the screen is there before the engines are loaded.
        from engines.race import race

        return race.Race(settings, interval_s=FRAME_INTERVAL_S, on_progress=on_progress, hold=hold)

    return make


class TelemonApp(ViewActions, LoadActions):
    """Shows a race. `run` returns what was measured, or None when nothing was; it raises what kept the race from
    starting. `return_code` is 1 when the screen or the race broke, and 128 plus its number after a signal; `fault`
    says in one line what broke.

    `stage` begins with the layout for a hall; `hold` says that the source waits at the start line.
    """

    TITLE = "telemon"
    CSS_PATH: ClassVar[Any] = [STYLESHEETS / "telemon.tcss", STYLESHEETS / "race.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = list(bindings())

    def __init__(
        self,
        settings: RaceConfig,
        source_factory: FrameSourceFactory | None = None,
        *,
        terminal: Terminal | None = None,
        host: HostMonitor | None = None,
        stage: bool = False,
        hold: bool = False,
    ) -> None:
        super().__init__(
            ScreenState(load_settings=LoadSettings.of(settings), holding=hold), terminal
        )
        self.settings = settings
        self.shown = 0
        """How many pictures were drawn."""
        self.worst_lag_s = 0.0
        """How late the screen's event loop was at worst, once it had settled."""
        self.leave_result = False
        """Whether to end with the race instead of showing its result."""
        self._lag_s = 0.0
        self._tick_due_s = 0.0
        self._started_s = time.monotonic()
        self.feed = FrameFeed(
            settings,
            source_factory or race_source(settings, hold=hold),
            self.post_message,
            fps=self.terminal.fps,
            host=host or HostMonitor(),
        )
        if stage:
            self._set_stage(True)

    def on_mount(self) -> None:
        self.push_screen_state()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            # Not in a thread other than the main one, as under a test's pilot.
            with suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self.end, 128 + number)
        self._started_s = time.monotonic()
        self._tick_due_s = self._started_s + TICK_S
        self.set_interval(TICK_S, self._tick)
        self.set_interval(0.5, self._catch_up)
        self.feed.start_thread()

    def _tick(self) -> None:
        """See how late this is: so late would a key be, or a picture."""
        now_s = time.monotonic()
        lag_s = max(0.0, now_s - self._tick_due_s)
        self._tick_due_s = now_s + TICK_S
        self._lag_s = max(self._lag_s, lag_s)
        if self.shown > SETTLED:
            self.worst_lag_s = max(self.worst_lag_s, lag_s)

    def _catch_up(self) -> None:
        self.feed.catch_up()
        if self._screen_state.view is None:
            self._show(starting_s=time.monotonic() - self._started_s)

    @on(Progress)
    def _progress(self, message: Progress) -> None:
        steps = (*self._screen_state.progress, (message.text, message.elapsed_s))
        self._show(progress=steps, starting_s=message.elapsed_s)

    @on(LanesKnown)
    def _lanes_known(self, message: LanesKnown) -> None:
        for lane_info in message.lane_infos:
            for note in lane_info.notes:
                self.feed.note(f"{lane_info.title}: {note}")
        self._show(lane_infos=message.lane_infos)

    @on(ViewReady)
    def _view_ready(self, message: ViewReady) -> None:
        if self._view is not None and message.view.seq < self._view.seq:
            # Pictures come from two threads: one asked for by key may have overtaken this.
            self.feed.taken()
            return
        self._view = message.view
        if self._screen_state.frozen or self._backlog():
            # A terminal that has not taken the last picture yet gets the next but one.
            self.feed.taken()
            return
        lag_s, self._lag_s = self._lag_s, 0.0
        self.shown += 1
        if self.shown == SETTLED:
            # A full collection walks all that was imported and composed, for 60 ms in which no key is answered. All of
            # that stays to the end: taken out of the collector's sight, a collection takes a few milliseconds.
            gc.freeze()
        self._screen_state = replace(self._screen_state, view=message.view, screen_lag_s=lag_s)
        self._painter.draw_in_turns(self._screen_state, self.feed.taken)

    def _backlog(self) -> int:
        driver = self._driver
        return driver.backlog if isinstance(driver, TerminalDriver) else 0

    @on(VisiblePointsChanged)
    def _visible_points_changed(self, message: VisiblePointsChanged) -> None:
        self.feed.set_visible_points(message.points)

    @on(SourceEnded)
    def _source_ended(self, message: SourceEnded) -> None:
        summary = self.feed.summary
        if message.error is not None:
            self.fault = sanitize(str(message.error) or type(message.error).__name__)
        if summary is None or not summary.duration_s:
            self._end_unmeasured(message.error)
        elif not self._exit:
            if self.leave_result:
                self.exit(summary, return_code=1 if message.error is not None else 0)
            else:
                self._show(frozen=False, view=self._view, over=True, holding=False, countdown=None)
                self.push_screen(
                    ResultScreen(build_report(summary, self.fault), self._screen_state)
                )

    def _end_unmeasured(self, error: BaseException | None) -> None:
        """End without a result, and say why when it was not asked for."""
        summary = self.feed.summary
        if self._exit:
            return
        if error is None and self._view is not None and self._view.events:
            last = self._view.events[-1]
            self.fault = sanitize(f"nothing was measured: {last.lane or 'race'}: {last.text}")
        # What kept a race from starting is raised by `run`.
        self.exit(summary, return_code=0 if self.fault is None else 1)

    async def action_quit(self) -> None:
        self.end()

    def end(self, code: int = 0) -> None:
        """End the race and leave the screen; `run` hands back what was measured."""
        self.feed.stop()
        if self.fault is not None and not code:
            code = 1
        self.exit(self.feed.summary, return_code=code)

    def terminal_gone(self) -> None:
        """Called by the driver from its own thread: there is nobody to show anything to."""
        self.feed.stop()
        self.fault = "the terminal is gone"
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self.end, HANGUP_CODE)

    def _fatal_error(self) -> None:
        """Leave the screen after a mistake in it, with its traceback where that is asked for. Textual's own report
        shows local variables, and those may hold a password."""
        error = sys.exception()
        self.fault = f"the screen failed: {type(error).__name__}"
        self.feed.stop()
        if os.environ.get(DEBUG_ENV) == "1":
            from rich.traceback import Traceback

            console = self.error_console
            trace = Traceback(show_locals=False)
            self._exit_renderables.append(Segments(list(console.render(trace, console.options))))
        self._close_messages_no_wait()

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
