"""The race screen: lanes side by side, standings, events and the load of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.events import Resize
from textual.reactive import var

from engines.model.lanes import LANES
from tui.messages import VisiblePointsChanged
from tui.screens.base import StyledScreen
from tui.view.state import ScreenState
from tui.widgets.base.lane_panel import LanePanel
from tui.widgets.base.panel import Panel
from tui.widgets.lane.chart import AXIS_CELLS
from tui.widgets.lane.compact import trend_cells
from tui.widgets.lane.minimal import MinimalLanes
from tui.widgets.lane.pane import LanePane
from tui.widgets.race.countdown import Countdown
from tui.widgets.race.event_log import EventLog
from tui.widgets.race.header import Header
from tui.widgets.race.host_load import HostLoadBar
from tui.widgets.race.key_bar import KeyBar
from tui.widgets.race.standings import Standings
from tui.widgets.race.start_progress import StartProgress

STACK_ROWS = 18
"""Minimum height in rows of the stacked layout: header, three lanes of four rows, standings and keys."""

STAGE_COLUMNS = 72
"""Minimum width in columns of the stage layout. In fewer, a factor in large digits does not fit."""

FLAT_ROWS, LOW_ROWS = 27, 38
"""Height in rows below which lanes side by side have only one chart; below `FLAT_ROWS` they have none."""


def layout_class(width: int, height: int) -> tuple[str, ...]:
    """Return the stylesheet's classes for a terminal of this size. Every size has a layout."""
    if width < 60 or height < 16:
        return ("-numbers", "-no-stage")
    if width < STAGE_COLUMNS or height < STACK_ROWS:
        return ("-stacked" if height >= STACK_ROWS else "-numbers", "-no-stage")
    if width < 100:
        return ("-stacked",)
    if height < 22:
        return ("-stacked",)
    if height < FLAT_ROWS:
        return ("-flat",)
    return ("-low",) if height < LOW_ROWS else ()


def points_shown(pane: int, *, stacked: bool) -> int:
    """Return how many chart points a lane shows in a pane of `pane` cells."""
    return 2 * max(0, trend_cells(pane - 1) if stacked else pane - 2 - AXIS_CELLS)


class Group(Container):
    """A container without any content of its own."""

    BLANK = True


class RaceScreen(StyledScreen[None]):
    """The screen that shows screen states. It neither measures nor decides anything."""

    BLANK = True

    ALLOW_MAXIMIZE = False

    LAYOUTS: ClassVar[tuple[str, ...]] = ("-numbers", "-stacked", "-flat", "-low", "-no-stage")
    """All classes that `layout_class` can return."""

    screen_state: var[ScreenState] = var(ScreenState, always_update=True)

    def __init__(self) -> None:
        super().__init__()
        self._lanes = len(LANES)
        self._maximised: int | None = None
        self._points = 0
        self._parts: tuple[Panel | LanePane, ...] = ()

    def compose(self) -> ComposeResult:
        """Yield the widgets of all layouts; the stylesheet shows those of the current one."""
        yield Header()
        with Group(id="lanes"):
            for index in range(len(LANES)):
                yield LanePane(index)
        yield MinimalLanes()
        yield StartProgress()
        yield Countdown()
        with Group(id="below"):
            yield Standings()
            yield EventLog()
        yield HostLoadBar()
        yield KeyBar()

    def draw_steps(self, screen_state: ScreenState) -> Iterator[None]:
        """Draw a screen state, one part per step: each lane is a part, and all other widgets together are one."""
        self.screen_state = screen_state
        for part in self._parts:
            part.screen_state = screen_state
            if isinstance(part, LanePane):
                yield
        yield

    def watch_screen_state(self, screen_state: ScreenState) -> None:
        """Arrange the lanes and set the stylesheet's classes for the new screen state."""
        lanes = (
            len(screen_state.view.lanes)
            if screen_state.view
            else len(screen_state.lane_infos) or len(LANES)
        )
        if lanes != self._lanes:
            self._lanes = lanes
            self._arrange()
        if self._staged(screen_state) != self.has_class("-stage"):
            self.set_class(self._staged(screen_state), "-stage")
            self._arrange()
        self.set_class(screen_state.view is None, "-starting")
        self.set_class(screen_state.start.countdown is not None, "-counting")

    def on_mount(self) -> None:
        """Collect the parts that `draw_steps` draws."""
        lanes = tuple(self.query(LanePane))
        rest = (part for part in self.query(Panel) if not isinstance(part, LanePanel))
        self._parts = (*lanes, *rest)
        for part in self._parts:
            part.screen_state = self.screen_state
        self._arrange()

    def on_resize(self, event: Resize) -> None:
        """Select the layout for the new size."""
        wanted = layout_class(*event.size)
        for name in self.LAYOUTS:
            self.set_class(name in wanted, name)
        self.set_class(self._staged(self.screen_state), "-stage")
        self._arrange()

    def _staged(self, screen_state: ScreenState) -> bool:
        """Return whether the stage layout is selected and fits.

        Where it does not fit, a cut figure would be a wrong one.
        """
        return screen_state.presentation.stage and not self.has_class("-no-stage")

    @property
    def has_panes(self) -> bool:
        """Return whether each lane has a pane, and not numbers only."""
        return bool(self.query_one("#lanes").display)

    def maximise(self, index: int | None) -> None:
        """Show only the lane at `index` (from 0); None shows all lanes."""
        self._maximised = index
        self._arrange()

    def _arrange(self) -> None:
        """Show the panes of the existing lanes, all equally wide, so that their charts cover the same time."""
        stacked = self.has_class("-stacked") and not self.has_class("-stage")
        shown = self._lanes if self._maximised is None else 1
        for pane in self.query(LanePane):
            away = pane.index >= self._lanes or self._maximised not in (None, pane.index)
            pane.set_class(away, "-away")
            pane.styles.width = "100%" if stacked else max(1, self.size.width // shown)
        width = self.size.width if stacked else self.size.width // shown
        points = points_shown(width, stacked=stacked)
        if points and points != self._points:
            self._points = points
            # Not into this screen's own queue: between two resizes it would keep the newer one from replacing the
            # older, and Textual would then lay out both sizes alternately without end.
            self.app.post_message(VisiblePointsChanged(points))
