"""Everything that a widget draws from."""

from __future__ import annotations

from dataclasses import dataclass, field

from engines.model.lanes import LaneInfo
from tui.view.load_settings import LoadSettings
from tui.view.view import View


@dataclass(frozen=True, slots=True)
class ScreenState:
    """Everything that a widget draws from: the numbers, and how to show them.

    `stage` selects the layout for a projector. `over` says that no more frames will come. `themes` says that the
    terminal has enough colours for a choice of themes. `holding` says that lanes are held at the start barrier;
    `released` are the lanes that were released one by one. `progress` are the steps of the start with the time in
    seconds at which each began; `starting_s` is the time in seconds since the first. `glyphs` is "braille", "block" or
    "ascii". `shared_axis` puts all lanes on one y axis. The header shows `frozen` and `paused`. `screen_lag_s` is the
    largest delay of the screen's own event loop since the last frame, in seconds.
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
        """Return what is known of a lane; a description with its id only where nothing is known."""
        for lane_info in self.lane_infos:
            if lane_info.lane == lane:
                return lane_info
        return LaneInfo(lane, lane, "", "", "", "")
