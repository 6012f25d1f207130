"""The conditions under which actions have something to do. The table in `tui.actions.catalog` names one per action."""

from __future__ import annotations

from collections.abc import Callable

from engines.model.lanes import LANES
from tui.view.state import ScreenState

Condition = Callable[[ScreenState], bool]
"""Returns whether the action has anything to do in this state. If not, its key does nothing."""


def always(screen_state: ScreenState) -> bool:  # noqa: ARG001
    """Return True, also after the race."""
    return True


def has_themes(screen_state: ScreenState) -> bool:
    """Return whether the terminal has enough colours for another theme, also after the race."""
    return screen_state.presentation.themes


def has_standings(screen_state: ScreenState) -> bool:
    """Return whether the race has had a frame or has ended."""
    return screen_state.over or screen_state.view is not None


def not_over(screen_state: ScreenState) -> bool:
    """Return whether the race has not ended, also before its first frame."""
    return not screen_state.over


def racing(screen_state: ScreenState) -> bool:
    """Return whether the race has had a frame and has not ended."""
    return not screen_state.over and screen_state.view is not None


def holding(screen_state: ScreenState) -> bool:
    """Return whether lanes wait for a release and no countdown runs."""
    return (
        racing(screen_state) and screen_state.start.holding and screen_state.start.countdown is None
    )


def has_writers(screen_state: ScreenState) -> bool:
    """Return whether there are writers. No engine process of theirs exists in a race that began without any."""
    return racing(screen_state) and bool(screen_state.load_settings.writers)


def has_readers(screen_state: ScreenState) -> bool:
    """Return whether there are readers. No engine process of theirs exists in a race that began without any."""
    return racing(screen_state) and bool(screen_state.load_settings.readers)


def has_cache(screen_state: ScreenState) -> bool:
    """Return whether a racing lane has a cache."""
    lanes = screen_state.view.lanes if screen_state.view is not None else ()
    return racing(screen_state) and any(LANES[lane.lane].has_cache for lane in lanes)


def has_window(screen_state: ScreenState) -> bool:
    """Return whether the window can change. In heats the window is the heat."""
    return racing(screen_state) and not screen_state.load_settings.heats


def has_lane(index: int) -> Condition:
    """Return the condition that lane number `index`, from 0, can be shown alone, or released while lanes are held."""

    def condition(screen_state: ScreenState) -> bool:
        lanes = screen_state.view.lanes if screen_state.view is not None else ()
        if not racing(screen_state) or index >= len(lanes):
            return False
        if not screen_state.start.holding:
            return True
        # Heats have their own order.
        waits = lanes[index].lane not in screen_state.start.released
        return (
            waits and not screen_state.load_settings.heats and screen_state.start.countdown is None
        )

    return condition
