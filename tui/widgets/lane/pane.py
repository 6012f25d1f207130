"""Everything of one lane, in the form that the terminal has space for."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container
from textual.reactive import var

from tui.view.state import ScreenState
from tui.widgets.lane.chart import LaneChart
from tui.widgets.lane.compact import CompactLane
from tui.widgets.lane.figures import LaneFigures
from tui.widgets.lane.header import LaneHeader
from tui.widgets.lane.stage import StageLane


class LanePane(Container):
    """All forms of a lane. The stylesheet of the screen shows header, figures and charts, or one of the other forms."""

    BLANK = True

    screen_state: var[ScreenState | None] = var(None, always_update=True)

    def __init__(self, index: int) -> None:
        super().__init__(id=f"lane-{index + 1}")
        self.index = index

    def compose(self) -> ComposeResult:
        """Yield the widgets of all forms."""
        index = self.index
        yield LaneHeader(index).data_bind(LanePane.screen_state)
        yield LaneFigures(index).data_bind(LanePane.screen_state)
        yield LaneChart(index, "rate", classes="rate").data_bind(LanePane.screen_state)
        yield LaneChart(index, "p99", classes="p99").data_bind(LanePane.screen_state)
        yield StageLane(index).data_bind(LanePane.screen_state)
        yield CompactLane(index).data_bind(LanePane.screen_state)
