"""Actions that change what is shown. None of them changes what is measured."""

from __future__ import annotations

from dataclasses import replace

from tui.app.start_actions import StartActions
from tui.app.steps import next_step
from tui.report.clipboard import result_text, standings_text
from tui.report.race_report import build_report
from tui.screens.help import HelpScreen
from tui.screens.palette import Palette
from tui.styles.themes import CYCLE
from tui.view.history import WINDOWS_S


class ViewActions(StartActions):
    """Actions that freeze, enlarge, recolour, save and copy the display."""

    fault: str | None = None
    """One line that says what failed; None if nothing did."""
    _maximised: int | None = None
    """Index of the lane that is shown alone; None for all lanes."""

    def action_freeze(self) -> None:
        """Freeze the display, or show the newest view again."""
        frozen = not self._screen_state.presentation.frozen
        if not frozen:
            self._screen_state = replace(self._screen_state, view=self._view)
        self._show_presentation(frozen=frozen)

    def action_stage(self) -> None:
        """Switch the stage layout on or off."""
        self._set_stage(not self._screen_state.presentation.stage)
        self.push_screen_state()

    def action_longer_window(self) -> None:
        """Use the next longer sliding window."""
        self._window(1)

    def action_shorter_window(self) -> None:
        """Use the next shorter sliding window."""
        self._window(-1)

    def _window(self, step: int) -> None:
        """Use the next longer (`step` 1) or shorter (-1) sliding window."""
        if self._view is None:
            return
        now_s = self._view.window_s
        wanted_s = next_step(WINDOWS_S, now_s, step)
        if self._can_step(f"window {now_s:g} s", now_s, wanted_s, step):
            self.feed.resize(wanted_s)

    def action_axis(self) -> None:
        """Switch between one y axis for all lanes and one for each."""
        shared = not self._screen_state.presentation.shared_axis
        self._show_presentation(shared_axis=shared)
        self._toast("one y axis for all lanes" if shared else "a y axis for each lane")

    def action_maximise(self, number: int) -> None:
        """Show one lane alone, or all lanes again; at the start barrier, release this lane."""
        index = number - 1
        if self._screen_state.start.holding:
            assert self._screen_state.view is not None
            self._release_one(self._screen_state.view.lanes[index].lane)
        elif not self.race_screen.has_panes:
            self._toast("this terminal is too small to show a lane alone")
        else:
            self._maximised = None if self._maximised == index else index
            self.race_screen.maximise(self._maximised)

    def action_restore(self) -> None:
        """Show all lanes."""
        self._maximised = None
        self.race_screen.maximise(None)

    def action_next_theme(self) -> None:
        """Use the next theme."""
        self.theme = CYCLE[(CYCLE.index(self.theme) + 1) % len(CYCLE)]
        self._theme_before_stage = None

    def action_command_palette(self) -> None:
        """Open the command palette, unless it is open."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id=Palette.ID))

    def action_help(self) -> None:
        """Open the help screen."""
        self.push_screen(HelpScreen(self._screen_state))

    def action_screenshot(self) -> None:  # type: ignore[override]
        """Save the screen as SVG in the current directory."""
        try:
            name = self.save_screenshot()
        except OSError as error:
            self._toast(f"no screenshot: {error.strerror}", bad=True)
        else:
            self._toast(f"saved {name}")

    def action_copy(self) -> None:
        """Copy the numbers on show to the clipboard: the result, or the standings of the view."""
        view, summary = self._screen_state.view, self.feed.summary
        if self._screen_state.over and summary is not None:
            text, what = result_text(build_report(summary, self.fault)), "result copied"
        elif view is not None:
            text, what = standings_text(view, self._screen_state.lane_infos), "standings copied"
        else:
            return
        self.copy_to_clipboard(text)
        self._toast(what)
