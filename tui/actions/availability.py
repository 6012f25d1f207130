"""Decide which actions can do something now. Keys, bottom line, palette and help all ask here."""

from __future__ import annotations

from engines.model.lanes import LANES
from tui.view.state import ScreenState

ALWAYS = ("quit", "screenshot", "help")
"""Actions that are always available."""

CACHE = ("flush", "more_ttl", "less_ttl")
"""Actions that need a lane with a cache."""

WRITERS = ("more_writers", "fewer_writers", "more_batch", "less_batch")
"""Actions that concern writer connections."""
READERS = ("more_readers", "fewer_readers")
"""Actions that concern reader connections."""
WINDOW = ("shorter_window", "longer_window")
"""Actions that concern the sliding window."""

LANE = "maximise_"
"""Prefix of the actions that concern one lane."""


def is_available(action: str, screen_state: ScreenState) -> bool:
    """Return whether the action with this id has anything to do; if not, its key does nothing."""
    load_settings, view = screen_state.load_settings, screen_state.view
    if action in ALWAYS:
        return True
    if action == "next_theme":
        return screen_state.presentation.themes
    if screen_state.over:
        return action == "copy"
    if action == "stage":
        return True
    if view is None:
        return False
    if action == "release":
        return screen_state.start.holding and screen_state.start.countdown is None
    if action.startswith(LANE):
        return _lane(int(action.removeprefix(LANE)) - 1, screen_state)
    lanes = [lane.lane for lane in view.lanes]
    return not (
        # A role without connections has no engine process that could open one.
        (action in WRITERS and not load_settings.writers)
        or (action in READERS and not load_settings.readers)
        or (action in CACHE and not any(LANES[lane].has_cache for lane in lanes))
        # There the window is the heat.
        or (action in WINDOW and load_settings.heats)
    )


def _lane(index: int, screen_state: ScreenState) -> bool:
    """Return whether a lane can be released from the start barrier, or shown alone."""
    lanes = screen_state.view.lanes if screen_state.view is not None else ()
    if index >= len(lanes):
        return False
    if not screen_state.start.holding:
        return True
    # With heats, lanes run in a fixed order.
    waits = (
        lanes[index].lane not in screen_state.start.released
        and not screen_state.load_settings.heats
    )
    return waits and screen_state.start.countdown is None
