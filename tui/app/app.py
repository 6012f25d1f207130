"""The Textual app: a race on the screen, from its start to its result."""

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

from rich.segment import Segment, Segments
from textual import on
from textual.binding import Binding, BindingType

from engines.config.race_config import RaceConfig
from engines.config.settings import DEBUG_ENV
from engines.endpoints.redaction import traceback_text
from engines.model.deaths import Death
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
from tui.view.state import ScreenState, StartState, StartStep, with_step
from tui.view.view import View

STYLESHEETS = PACKAGE_ROOT / "tui" / "styles"
"""Directory of the stylesheets."""

TICK_S = 0.05
"""Interval in seconds at which the screen measures the delay of its own event loop."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end the race."""

HANGUP_CODE = 128 + signal.SIGHUP
"""Exit code after the terminal has gone: what a shell reports for SIGHUP."""

NO_SUSPEND = "telemon does not suspend: its load would go on; space pauses the load"
"""Answer to Ctrl-Z and SIGTSTP."""

FRAME_INTERVAL_S = 0.25
"""Interval in seconds of the frames that are requested, however many of them are shown."""

DEATH_SHOWN_S = 15.0
"""How long a notification names a process that died, in seconds."""

LAYOUT_VIEWS = 3
"""Number of first views that change the layout; from then on only cells change. The lag is not measured before."""


def race_source(settings: RaceConfig, *, hold: bool = False) -> FrameSourceFactory:
    """Return the usual source factory: a race with these settings on real servers."""

    def make(on_progress: ProgressCallback) -> FrameSource:
        """Create the race."""
        # Deferred import: the screen is visible before the engine modules are loaded.
        from engines.race import race

        return race.Race(settings, interval_s=FRAME_INTERVAL_S, on_progress=on_progress, hold=hold)

    return make


class TelemonApp(ViewActions, LoadActions):
    """The app that shows a race.

    `run` returns what was measured, or None if nothing was measured; it raises the error that kept the race from
    starting. `return_code` is 1 if the screen or the race failed, and 128 plus the signal's number after a signal;
    `fault` is one line that says what failed. `stage` selects the layout for a projector at the start. `hold` says that
    the source holds the lanes at the start barrier.
    """

    TITLE = "telemon"
    CSS_PATH: ClassVar[Any] = [STYLESHEETS / "telemon.tcss", STYLESHEETS / "race.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(),
        Binding("ctrl+z", "suspend_process", show=False, system=True),
    ]

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
            ScreenState(load_settings=LoadSettings.of(settings), start=StartState(holding=hold)),
            terminal,
        )
        self.settings = settings
        self.shown = 0
        """Number of views drawn."""
        self.worst_lag_s = 0.0
        """Largest delay of the screen's event loop in seconds, not counting the first views."""
        self.leave_result = False
        """Whether to exit at the end of the race instead of showing its result."""
        self._announced: set[Death] = set()
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
        """Draw the first screen state, handle signals and start the feed."""
        self.push_screen_state()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            # Signals can be handled in the main thread only; a test's pilot runs in another one.
            with suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self.end, 128 + number)
        self._started_s = time.monotonic()
        self._tick_due_s = self._started_s + TICK_S
        self.set_interval(TICK_S, self._tick)
        self.set_interval(0.5, self._catch_up)
        self.feed.start_thread()

    def _tick(self) -> None:
        """Measure how late this call is: a key or a view would be handled just as late."""
        now_s = time.monotonic()
        lag_s = max(0.0, now_s - self._tick_due_s)
        self._tick_due_s = now_s + TICK_S
        self._lag_s = max(self._lag_s, lag_s)
        if self.shown > LAYOUT_VIEWS:
            self.worst_lag_s = max(self.worst_lag_s, lag_s)

    def _catch_up(self) -> None:
        """Let the feed post a view that it has held back, and update the time of the start."""
        self.feed.catch_up()
        if self._screen_state.view is None:
            self._show_start(starting_s=time.monotonic() - self._started_s)

    @on(Progress)
    def _progress(self, message: Progress) -> None:
        """Append a step of the start, or update how far a lane is with its connections."""
        step = StartStep(message.step, message.elapsed_s)
        steps = with_step(self._screen_state.start.progress, step)
        self._show_start(progress=steps, starting_s=message.elapsed_s)

    @on(LanesKnown)
    def _lanes_known(self, message: LanesKnown) -> None:
        """Store the lanes, and put their notes into the event log."""
        for lane_info in message.lane_infos:
            for note in lane_info.notes:
                self.feed.note(f"{lane_info.title}: {note}")
        self._show(lane_infos=message.lane_infos)

    @on(ViewReady)
    def _view_ready(self, message: ViewReady) -> None:
        """Draw a newer view, unless the display is frozen or the terminal has not taken the last one yet."""
        if self._view is not None and message.view.seq < self._view.seq:
            # Views come from two threads: one that was requested by a key may have overtaken this one.
            self.feed.taken()
            return
        self._view = message.view
        self._announce_deaths(message.view)
        if self._screen_state.presentation.frozen or self._backlog():
            # The terminal has not taken the last view yet, so this one is dropped.
            self.feed.taken()
            return
        lag_s, self._lag_s = self._lag_s, 0.0
        self.shown += 1
        if self.shown == LAYOUT_VIEWS:
            # Performance: a full garbage collection walks everything imported and composed, which takes 60 ms in which
            # no key is handled. These objects live to the end; with them frozen, a collection takes a few ms.
            gc.freeze()
        self._screen_state = replace(self._screen_state, view=message.view, screen_lag_s=lag_s)
        self._painter.draw_incrementally(self._screen_state, self.feed.taken)

    def _announce_deaths(self, view: View) -> None:
        """Show each process that has died in a notification: a small layout has no event log."""
        for event in view.events:
            if event.death is not None and event.death not in self._announced:
                self._announced.add(event.death)
                text = f"{event.lane}: {event.text}" if event.lane else event.text
                self.notify(sanitize(text), severity="error", markup=False, timeout=DEATH_SHOWN_S)

    def _backlog(self) -> int:
        """Return how many pieces of output wait for the terminal; 0 for a driver that does not count them."""
        driver = self._driver
        return driver.backlog if isinstance(driver, TerminalDriver) else 0

    @on(VisiblePointsChanged)
    def _visible_points_changed(self, message: VisiblePointsChanged) -> None:
        """Fit the axes to the points that are visible now."""
        self.feed.set_visible_points(message.points)

    @on(SourceEnded)
    def _source_ended(self, message: SourceEnded) -> None:
        """Show the result, or exit if nothing was measured or the result is not wanted."""
        summary = self.feed.summary
        if message.error is not None:
            self.fault = sanitize(str(message.error) or type(message.error).__name__)
        if summary is None or not summary.duration_s:
            self._end_unmeasured(message.error)
        elif not self._exit:
            if self.leave_result:
                self.exit(summary, return_code=1 if message.error is not None else 0)
            else:
                self._show(
                    view=self._view,
                    over=True,
                    presentation=replace(self._screen_state.presentation, frozen=False),
                    start=replace(self._screen_state.start, holding=False, countdown=None),
                )
                self.push_screen(
                    ResultScreen(build_report(summary, self.fault), self._screen_state)
                )

    def _end_unmeasured(self, error: BaseException | None) -> None:
        """Exit without a result, with the reason if the user did not ask for the end."""
        summary = self.feed.summary
        if self._exit:
            return
        if error is None and self._view is not None and self._view.events:
            last = self._view.events[-1]
            self.fault = sanitize(f"nothing was measured: {last.lane or 'race'}: {last.text}")
        # The error that kept a race from starting is raised by `run`.
        self.exit(summary, return_code=0 if self.fault is None else 1)

    async def action_quit(self) -> None:
        """End the race and leave the screen."""
        self.end()

    def end(self, code: int = 0) -> None:
        """End the race and leave the screen; `run` then returns what was measured.

        `code` is the exit code; 0 becomes 1 if something failed.
        """
        self.feed.stop()
        if self.fault is not None and not code:
            code = 1
        self.exit(self.feed.summary, return_code=code)

    def terminal_gone(self) -> None:
        """End the race because the terminal has gone. The driver calls this from its own thread."""
        self.feed.stop()
        self.fault = "the terminal is gone"
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self.end, HANGUP_CODE)

    def action_suspend_process(self) -> None:
        """Tell that telemon does not suspend: the engine processes would make load without it.

        The driver calls this too, after SIGTSTP.
        """
        self._toast(NO_SUSPEND)

    def terminal_returned(self) -> None:
        """Draw everything again. The driver calls this when another process may have drawn on the terminal."""
        driver = self._driver
        if isinstance(driver, TerminalDriver) and not self._exit:
            driver.restore_modes()
            self.refresh(layout=True)

    def _fatal_error(self) -> None:
        """Leave the screen after an unexpected error, with its traceback if debugging is enabled.

        Textual's own report is not used: it shows local variables, and those may hold a password.
        """
        error = sys.exception()
        self.fault = f"the screen failed: {type(error).__name__}"
        self.feed.stop()
        if os.environ.get(DEBUG_ENV) == "1":
            shown = "" if error is None else traceback_text(error)
            self._exit_renderables.append(Segments([Segment(shown)]))
        self._close_messages_no_wait()

    def run(self, **options: Any) -> Summary | None:
        """Show the race until it is over or the user quits; return what was measured, or None.

        Blocks until then. `options` are those of `textual.app.App.run`. Raises the error that kept the race from
        starting.
        """
        options.setdefault("mouse", self.terminal.mouse)
        try:
            super().run(**options)
        finally:
            self.feed.stop()
            self.feed.leave()
        error = self.feed.error
        if error is not None and self.feed.summary is None:
            raise error
        return self.feed.summary
