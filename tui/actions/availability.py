"""Which actions can do something at the moment. The keys, the bottom line, the palette and the help all ask here."""

from __future__ import annotations

from tui.view.state import ScreenState

ALWAYS = ("quit", "screenshot", "help")

CACHE = ("flush", "more_ttl", "less_ttl")
"""What concerns lane `cached` alone."""

WRITERS = ("more_writers", "fewer_writers", "more_batch", "less_batch")
READERS = ("more_readers", "fewer_readers")
WINDOW = ("shorter_window", "longer_window")

LANE = "maximise_"


def is_available(action: str, scene: ScreenState) -> bool:
    """Whether the action with this id has anything to do; if not, its key does nothing."""
    setup, view = scene.setup, scene.view
    if action in ALWAYS:
        return True
    if action == "next_theme":
        return scene.themes
    if scene.over:
        return action == "copy"
    if action == "stage":
        return True
    if view is None:
        return False
    if action == "release":
        return scene.holding and scene.countdown is None
    if action.startswith(LANE):
        return _lane(int(action.removeprefix(LANE)) - 1, scene)
    lanes = [lane.lane for lane in view.lanes]
    return not (
        # A role without connections has no engine that could open one.
        (action in WRITERS and not setup.writers)
        or (action in READERS and not setup.readers)
        or (action in CACHE and "cached" not in lanes)
        # There the window is the heat.
        or (action in WINDOW and setup.heats)
    )


def _lane(index: int, scene: ScreenState) -> bool:
    """Whether a lane can be let go, at the start line, or shown alone."""
    lanes = scene.view.lanes if scene.view is not None else ()
    if index >= len(lanes):
        return False
    if not scene.holding:
        return True
    # Heats have their own order.
    waits = lanes[index].lane not in scene.released and not scene.setup.heats
    return waits and scene.countdown is None
