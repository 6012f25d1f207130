"""The race on the screen, from its start to its result."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from rich.console import Console
from rich.segment import Segments
from textual import on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from engines import control
from engines.config import Race
from engines.setting import DEBUG_ENV
from engines.summary import Summary
from tui.account import account
from tui.actions import ACTIONS, METHODS, bindings
from tui.availability import available
from tui.curtain import Curtain
from tui.driver import TerminalDriver
from tui.feed import Feed
from tui.figures import plain
from tui.history import WINDOWS_S
from tui.host import Host
from tui.ladder import BATCHES, RATES_PER_S, TTLS_S, first_rate_per_s, stepped
from tui.messages import Lineup, LookBack, Progress, SourceEnded, ViewReady
from tui.screens.help import HelpScreen
from tui.screens.palette import Palette
from tui.screens.race import RaceScreen
from tui.screens.result import ResultScreen
from tui.setup import Setup
from tui.source import Narrate, Source, SourceFactory
from tui.standingstext import result_text, standings_text
from tui.terminal import Terminal
from tui.themes import CYCLE, DARK, PLAIN, PROJECTOR, SIXTEEN, THEMES
from tui.view import Scene, View

HERE = Path(__file__).parent

GREYING = (Monochrome, NoColor)
"""The filters that take colours away."""

TICK_S = 0.05
"""How often the screen looks how late its own event loop is."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

HANGUP_CODE = 128 + signal.SIGHUP

FRAME_INTERVAL_S = 0.25
"""The interval of the frames that are asked for, however many of them are shown."""

SETTLED = 3
"""The first pictures are laid out anew; from here on only cells change."""

COUNT_S = 1.0
"""How long each number of the countdown stands."""


def race_source(settings: Race, *, hold: bool = False) -> SourceFactory:
    """The usual source: a race with these settings, on real servers."""

    def make(narrate: Narrate) -> Source:
        # Not before it is needed: the screen is there before the engines are loaded.
        from engines import race

        return race.Race(settings, interval_s=FRAME_INTERVAL_S, narrate=narrate, hold=hold)

    return make


class Telemon(App[Summary]):
    """Shows a race. `run` returns what was measured, or None when nothing was; it raises what kept the race from
    starting. `return_code` is 1 when the screen or the race broke, and 128 plus its number after a signal; `fault`
    says in one line what broke.

    `stage` begins with the layout for a hall; `hold` says that the source waits at the start line.
    """

    TITLE = "telemon"
    CSS_PATH: ClassVar[Any] = [HERE / "telemon.tcss", HERE / "screens" / "race.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = list(bindings())

    def __init__(
        self,
        settings: Race,
        source_factory: SourceFactory | None = None,
        *,
        terminal: Terminal | None = None,
        host: Host | None = None,
        stage: bool = False,
        hold: bool = False,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.terminal = terminal or Terminal.detect(
            os.environ, getattr(sys.__stderr__, "encoding", None)
        )
        # NO_COLOR is one of the signs that the terminal was detected by, and may have been overruled. What Textual
        # does for it makes of the terminal's own colours black on black.
        self._filters = [part for part in self._filters if not isinstance(part, GREYING)]
        self.no_color = self.terminal.color == "none"
        self.fault: str | None = None
        self.shown = 0
        """How many pictures were drawn."""
        self.worst_lag_s = 0.0
        """How late the screen's event loop was at worst, once it had settled."""
        self.leave_result = False
        """Whether to end with the race instead of showing its result."""
        self.count_s = COUNT_S
        self.race_screen = RaceScreen()
        self._curtain = Curtain(self, self.race_screen)
        self._lag_s = 0.0
        self._tick_due_s = 0.0
        self._started_s = time.monotonic()
        self._alone: int | None = None
        self._theme_before_stage: str | None = None
        self._view: View | None = None
        self._scene = Scene(setup=Setup.of(settings), glyphs=self.terminal.glyphs, holding=hold)
        self.feed = Feed(
            settings,
            source_factory or race_source(settings, hold=hold),
            self.post_message,
            fps=self.terminal.fps,
            host=host or Host(),
        )
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = {"16": SIXTEEN, "none": PLAIN}.get(self.terminal.color, DARK).name
        self._scene = replace(self._scene, themes=self.theme in CYCLE)
        self.animation_level = "full" if self.terminal.animation else "none"
        self._set_colors()
        if stage:
            self._set_stage(True)

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
            if available(action.id, self._scene):
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
        return known is None or available(known.id, self._scene)

    def on_mount(self) -> None:
        self.push_scene()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            # Not in a thread other than the main one, as under a test's pilot.
            with suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self.end, 128 + number)
        self._started_s = time.monotonic()
        self._tick_due_s = self._started_s + TICK_S
        self.set_interval(TICK_S, self._tick)
        self.set_interval(0.5, self._catch_up)
        self.feed.start()

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
        if self._scene.view is None:
            self._show(starting_s=time.monotonic() - self._started_s)

    # ------------------------------------------------------------ what the feed says

    @on(Progress)
    def _progress(self, message: Progress) -> None:
        steps = (*self._scene.progress, (message.text, message.elapsed_s))
        self._show(progress=steps, starting_s=message.elapsed_s)

    @on(Lineup)
    def _lineup(self, message: Lineup) -> None:
        for entrant in message.entrants:
            for note in entrant.notes:
                self.feed.note(f"{entrant.title}: {note}")
        self._show(entrants=message.entrants)

    @on(ViewReady)
    def _view_ready(self, message: ViewReady) -> None:
        if self._view is not None and message.view.seq < self._view.seq:
            # Pictures come from two threads: one asked for by key may have overtaken this.
            self.feed.taken()
            return
        self._view = message.view
        if self._scene.frozen or self._backlog():
            # A terminal that has not taken the last picture yet gets the next but one.
            self.feed.taken()
            return
        lag_s, self._lag_s = self._lag_s, 0.0
        self.shown += 1
        if self.shown == SETTLED:
            # A full collection walks all that was imported and composed, for 60 ms in which no key is answered. All of
            # that stays to the end: taken out of the collector's sight, a collection takes a few milliseconds.
            gc.freeze()
        self._scene = replace(self._scene, view=message.view, screen_lag_s=lag_s)
        self._curtain.draw_in_turns(self._scene, self.feed.taken)

    def _backlog(self) -> int:
        driver = self._driver
        return driver.backlog if isinstance(driver, TerminalDriver) else 0

    @on(LookBack)
    def _look_back(self, message: LookBack) -> None:
        self.feed.look_back(message.points)

    @on(SourceEnded)
    def _source_ended(self, message: SourceEnded) -> None:
        summary = self.feed.summary
        if message.error is not None:
            self.fault = plain(str(message.error) or type(message.error).__name__)
        if summary is None or not summary.duration_s:
            self._end_unmeasured(message.error)
        elif not self._exit:
            if self.leave_result:
                self.exit(summary, return_code=1 if message.error is not None else 0)
            else:
                self._show(frozen=False, view=self._view, over=True, holding=False, countdown=None)
                self.push_screen(ResultScreen(account(summary, self.fault), self._scene))

    def _end_unmeasured(self, error: BaseException | None) -> None:
        """End without a result, and say why when it was not asked for."""
        summary = self.feed.summary
        if self._exit:
            return
        if error is None and self._view is not None and self._view.events:
            last = self._view.events[-1]
            self.fault = plain(f"nothing was measured: {last.lane or 'race'}: {last.text}")
        # What kept a race from starting is raised by `run`.
        self.exit(summary, return_code=0 if self.fault is None else 1)

    def _show(self, **changes: Any) -> None:
        self._scene = replace(self._scene, **changes)
        self.push_scene()

    def push_scene(self) -> None:
        """Draw the scene at once."""
        self._curtain.draw(self._scene)

    # ------------------------------------------------------------ the race

    async def action_quit(self) -> None:
        self.end()

    def end(self, code: int = 0) -> None:
        """End the race and leave the screen; `run` hands back what was measured."""
        self.feed.stop()
        if self.fault is not None and not code:
            code = 1
        self.exit(self.feed.summary, return_code=code)

    def action_pause(self) -> None:
        paused = not self._scene.paused
        if self.feed.send(control.Pause() if paused else control.Resume()):
            self._show(paused=paused)

    def action_flush(self) -> None:
        self.feed.send(control.FlushCache())

    def action_reset(self) -> None:
        self.feed.send(control.ResetTotals())
        self.feed.reset()

    async def action_release(self) -> None:
        """Count down, then let all lanes go."""
        self._show(countdown=3)
        for number in (2, 1):
            self.set_timer(self.count_s * (3 - number), partial(self._count, number))
        self.set_timer(self.count_s * 3, self._go)

    def _count(self, number: int) -> None:
        if self._scene.countdown is not None:
            self._show(countdown=number)

    def _go(self) -> None:
        if self._scene.countdown is not None:
            self._show(countdown=None, holding=not self.feed.send(control.Release()))

    def _release_one(self, lane: str) -> None:
        if self.feed.send(control.Release(lane)):
            released = self._scene.released | {lane}
            self._show(released=released, holding=len(released) < len(self.settings.lanes))

    # ------------------------------------------------------------ the load

    def _ask(self, wanted: control.Control, **setup: Any) -> None:
        """Ask the race for `wanted`, and show the settings that it changes. Without a race there is none to change."""
        if self.feed.send(wanted):
            self._show(setup=replace(self._scene.setup, **setup))

    def _moves(self, shown: str, now: float, wanted: float, step: int) -> bool:
        """Whether a step leads anywhere; where not, say so."""
        if wanted == now:
            self._tell(f"{shown} is the {'most' if step > 0 else 'least'} there is")
        return wanted != now

    def _connections(self, role: Literal["write", "read"], step: int) -> None:
        setup = self._scene.setup
        now = setup.writers if role == "write" else setup.readers
        wanted = max(1, now + step)
        name = "writers" if role == "write" else "readers"
        if wanted == now:
            self._tell(f"one of the {name} in each lane stays")
            return
        self._ask(control.Connections(role, wanted), **{name: wanted})

    def action_more_writers(self) -> None:
        self._connections("write", 1)

    def action_fewer_writers(self) -> None:
        self._connections("write", -1)

    def action_more_readers(self) -> None:
        self._connections("read", 1)

    def action_fewer_readers(self) -> None:
        self._connections("read", -1)

    def _batch(self, step: int) -> None:
        setup = self._scene.setup
        wanted = stepped(BATCHES, setup.batch, step)
        if self._moves(f"batch {setup.batch}", setup.batch, wanted, step):
            self._ask(control.Batch(wanted), batch=wanted)

    def action_more_batch(self) -> None:
        self._batch(1)

    def action_less_batch(self) -> None:
        self._batch(-1)

    def _ttl(self, step: int) -> None:
        setup = self._scene.setup
        wanted = stepped(TTLS_S, setup.ttl_s, step)
        if self._moves(f"TTL {setup.ttl_s:g} s", setup.ttl_s, wanted, step):
            self._ask(control.Ttl(wanted), ttl_s=wanted)

    def action_more_ttl(self) -> None:
        self._ttl(1)

    def action_less_ttl(self) -> None:
        self._ttl(-1)

    def action_mode(self) -> None:
        """Close the loop, or open it: at the rate that was asked for before, or one that every lane can hold."""
        setup = self._scene.setup
        if setup.paced:
            self._ask(control.Rate(None), paced=False)
            return
        rate_per_s = setup.rate_per_s
        if rate_per_s is None:
            lanes = self._view.lanes if self._view is not None else ()
            rate_per_s = first_rate_per_s(
                role.operations_per_s for lane in lanes for role in (lane.write, lane.read)
            )
        self._ask(control.Rate(rate_per_s), paced=True, rate_per_s=rate_per_s)

    def _rate(self, step: int) -> None:
        setup = self._scene.setup
        if not setup.paced or setup.rate_per_s is None:
            self._tell("no rate in mode saturate; m switches to pace")
            return
        wanted = stepped(RATES_PER_S, setup.rate_per_s, step)
        if self._moves(f"pace {setup.rate_per_s:g}/s", setup.rate_per_s, wanted, step):
            self._ask(control.Rate(wanted), rate_per_s=wanted)

    def action_more_rate(self) -> None:
        self._rate(1)

    def action_less_rate(self) -> None:
        self._rate(-1)

    # ------------------------------------------------------------ the display

    def action_freeze(self) -> None:
        """Hold the picture, or show the present again."""
        frozen = not self._scene.frozen
        self._show(frozen=frozen, view=self._scene.view if frozen else self._view)

    def action_stage(self) -> None:
        self._set_stage(not self._scene.stage)
        self.push_scene()

    def _set_stage(self, stage: bool) -> None:
        """The stage has the projector's theme, and gives back the one before."""
        self._scene = replace(self._scene, stage=stage)
        if self.terminal.color in ("16", "none"):
            return
        if stage:
            self._theme_before_stage, self.theme = self.theme, PROJECTOR.name
        elif self._theme_before_stage is not None:
            self.theme, self._theme_before_stage = self._theme_before_stage, None

    def action_longer_window(self) -> None:
        self._window(1)

    def action_shorter_window(self) -> None:
        self._window(-1)

    def _window(self, step: int) -> None:
        if self._view is None:
            return
        now_s = self._view.window_s
        wanted_s = stepped(WINDOWS_S, now_s, step)
        if self._moves(f"window {now_s:g} s", now_s, wanted_s, step):
            self.feed.resize(wanted_s)

    def action_axis(self) -> None:
        shared = not self._scene.shared_axis
        self._show(shared_axis=shared)
        self._tell("one y axis for all lanes" if shared else "a y axis for each lane")

    def action_maximise(self, number: int) -> None:
        """Show one lane alone, or all of them again; at the start line, let this lane go."""
        index = number - 1
        if self._scene.holding:
            assert self._scene.view is not None
            self._release_one(self._scene.view.lanes[index].lane)
        elif not self.race_screen.has_panes:
            self._tell("this terminal is too small to show a lane alone")
        else:
            self._alone = None if self._alone == index else index
            self.race_screen.maximise(self._alone)

    def action_restore(self) -> None:
        self._alone = None
        self.race_screen.maximise(None)

    def action_next_theme(self) -> None:
        self.theme = CYCLE[(CYCLE.index(self.theme) + 1) % len(CYCLE)]
        self._theme_before_stage = None

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id=Palette.ID))

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self._scene))

    # ------------------------------------------------------------ the result

    def action_screenshot(self) -> None:  # type: ignore[override]
        """Save the screen as SVG in the current directory."""
        try:
            name = self.save_screenshot()
        except OSError as error:
            self._tell(f"no screenshot: {error.strerror}", bad=True)
        else:
            self._tell(f"saved {name}")

    def action_copy(self) -> None:
        """Copy the numbers that are on show, and no others."""
        view, summary = self._scene.view, self.feed.summary
        if self._scene.over and summary is not None:
            text, what = result_text(account(summary, self.fault)), "result copied"
        elif view is not None:
            text, what = standings_text(view, self._scene.entrants), "standings copied"
        else:
            return
        self.copy_to_clipboard(text)
        self._tell(what)

    def _tell(self, text: str, *, bad: bool = False) -> None:
        self.notify(text, severity="error" if bad else "information", markup=False, timeout=3)

    # ------------------------------------------------------------ start and end

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
