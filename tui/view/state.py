"""Everything that a widget draws from."""

from __future__ import annotations

from dataclasses import dataclass, field

from engines.model.connecting import LaneConnecting
from engines.model.lanes import LaneInfo
from tui.view.load_settings import LoadSettings
from tui.view.view import View


@dataclass(frozen=True, slots=True)
class Presentation:
    """How to show the numbers.

    `glyphs` is "braille", "block" or "ascii". `shared_axis` puts all lanes on one y axis. `frozen` says that the view
    on show is kept while newer ones arrive; the header shows it. `themes` says that the terminal has enough colours for
    a choice of themes. `stage` selects the layout for a projector.
    """

    glyphs: str = "braille"
    shared_axis: bool = True
    frozen: bool = False
    themes: bool = True
    stage: bool = False


@dataclass(frozen=True, slots=True)
class StartStep:
    """A step of the start: what it does, or how far a lane is with its connections.

    `at_s` is the time in seconds since the start at which that was said.
    """

    what: str | LaneConnecting
    at_s: float


def with_step(steps: tuple[StartStep, ...], step: StartStep) -> tuple[StartStep, ...]:
    """Return `steps` with `step`, which replaces what was said of the same lane's connections before. Pure."""
    if isinstance(step.what, LaneConnecting):
        for position, earlier in enumerate(steps):
            if isinstance(earlier.what, LaneConnecting) and earlier.what.lane == step.what.lane:
                return (*steps[:position], step, *steps[position + 1 :])
    return (*steps, step)


@dataclass(frozen=True, slots=True)
class StartState:
    """The start of a race: its steps, and the start barrier.

    `progress` are the steps so far; `starting_s` is the time in seconds since the first. `holding` says that lanes are
    held at the start barrier; `released` are the lanes that were released one by one. `countdown` is the number on
    show; None while there is no countdown.
    """

    progress: tuple[StartStep, ...] = ()
    starting_s: float = 0.0
    holding: bool = False
    released: frozenset[str] = frozenset()
    countdown: int | None = None


@dataclass(frozen=True, slots=True)
class ScreenState:
    """Everything that a widget draws from, in groups: numbers, load, presentation and start.

    `view` is None before the first numbers. `paused` says that the load is paused, and `over` that no more frames will
    come. `screen_lag_s` is the largest delay of the screen's own event loop since the last frame, in seconds.
    """

    view: View | None = None
    lane_infos: tuple[LaneInfo, ...] = ()
    load_settings: LoadSettings = field(default_factory=LoadSettings)
    presentation: Presentation = field(default_factory=Presentation)
    start: StartState = field(default_factory=StartState)
    paused: bool = False
    over: bool = False
    screen_lag_s: float = 0.0

    def lane_info(self, lane: str) -> LaneInfo:
        """Return what is known of a lane; a description with its id only where nothing is known."""
        for lane_info in self.lane_infos:
            if lane_info.lane == lane:
                return lane_info
        return LaneInfo(lane, lane, "", "", "", "")
