"""Everything that a widget draws from."""

from __future__ import annotations

from dataclasses import dataclass, field

from engines.model.lanes import LaneInfo
from tui.view.load_settings import LoadSettings
from tui.view.view import View


@dataclass(frozen=True, slots=True)
class ScreenState:
    """Everything that a widget draws from: the numbers, and how they are to be shown.

    `stage` is the layout for a hall, `over` says that no more frames will come, `themes` that there is one to choose.
    `holding` says that lanes wait at the start line, `released` which of them were let go one by one.
    `progress` are the steps of the start and when each began, `starting_s` is the time since the first.
    `glyphs` is "braille", "block" or "ascii"; `shared_axis` puts all lanes on one y axis; `frozen` and `paused` are
    said in the header; `screen_lag_s` is how late the screen's own event loop was at worst since the last frame.
    """

    view: View | None = None
    lane_infos: tuple[LaneInfo, ...] = ()
    load_settings: LoadSettings = field(default_factory=LoadSettings)
    glyphs: str = "braille"
    shared_axis: bool = True
    frozen: bool = False
    paused: bool = False
    holding: bool = False
    released: frozenset[str] = frozenset()
    themes: bool = True
    stage: bool = False
    over: bool = False
    countdown: int | None = None
    progress: tuple[tuple[str, float], ...] = ()
    starting_s: float = 0.0
    screen_lag_s: float = 0.0

    def lane_info(self, lane: str) -> LaneInfo:
        """What is known of a lane; its id alone where nothing is."""
        for lane_info in self.lane_infos:
            if lane_info.lane == lane:
                return lane_info
        return LaneInfo(lane, lane, "", "", "", "")
