"""Table of the actions: bindings, footer, command palette, help and availability are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding

from engines.model.lanes import LANES
from tui.actions.availability import (
    Condition,
    always,
    has_cache,
    has_lane,
    has_readers,
    has_standings,
    has_themes,
    has_window,
    has_writers,
    holding,
    not_over,
    racing,
)
from tui.view.state import ScreenState

KEY_NAMES = {
    "space": "space", "enter": "enter", "minus": "-", "plus": "+", "equals_sign": "=",
    "question_mark": "?", "f1": "F1", "f5": "F5", "escape": "esc", "ctrl+p": "^p", "ctrl+c": "^c",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done on the screen.

    `id` names the app's method `action_<id>`. `keys` are Textual's names; the first one is shown. `label` stands in
    the footer where `rank` is above 0, the lowest first; it is `label_undo` while `done` holds. `name` stands in the
    command palette, `text` in the help. `when` says whether the action has anything to do.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    name: str
    text: str
    group: str
    rank: int = 0
    when: Condition = racing
    label_undo: str = ""
    done: Condition | None = None

    @property
    def shown_keys(self) -> tuple[str, ...]:
        """Return the keys as people write them."""
        return tuple(KEY_NAMES.get(key, key) for key in self.keys)

    @property
    def shown_key(self) -> str:
        """Return the first key as people write it."""
        return self.shown_keys[0]

    @property
    def method(self) -> str:
        """Return the action as Textual calls it: maximise_2 is maximise(2)."""
        head, _, last = self.id.rpartition("_")
        return f"{head}({last})" if last.isdigit() else self.id

    def label_now(self, screen_state: ScreenState) -> str:
        """Return what the key would do now, in a word."""
        undo = self.done is not None and self.done(screen_state)
        return self.label_undo if undo else self.label


ACTIONS = (
    Action(
        "quit",
        ("q", "ctrl+c"),
        "quit",
        "race: quit",
        "end the race and print its result",
        "race",
        1,
        when=always,
    ),
    Action(
        "release",
        ("enter",),
        "go",
        "race: release all lanes",
        "with --hold: count down and release all lanes; 1 2 3 release one",
        "race",
        when=holding,
    ),
    Action(
        "pause",
        ("space",),
        "pause",
        "load: pause or resume",
        "pause or resume the load; connections stay",
        "race",
        2,
        label_undo="resume",
        done=lambda screen_state: screen_state.paused,
    ),
    Action(
        "flush",
        ("x",),
        "flush cache",
        "cache: flush",
        "remove telemon's own keys from the cache: a cold start",
        "race",
        8,
        when=has_cache,
    ),
    Action(
        "reset",
        ("z",),
        "reset",
        "totals: reset",
        "count rows, hits and errors from zero",
        "race",
        13,
    ),
    Action(
        "more_writers",
        ("w",),
        "writers",
        "writers: one more",
        "one more writer connection in every lane",
        "load",
        6,
        when=has_writers,
    ),
    Action(
        "fewer_writers",
        ("W",),
        "writers",
        "writers: one fewer",
        "one fewer writer connection in every lane",
        "load",
        when=has_writers,
    ),
    Action(
        "more_readers",
        ("r",),
        "readers",
        "readers: one more",
        "one more reader connection in every lane",
        "load",
        7,
        when=has_readers,
    ),
    Action(
        "fewer_readers",
        ("R",),
        "readers",
        "readers: one fewer",
        "one fewer reader connection in every lane",
        "load",
        when=has_readers,
    ),
    Action(
        "mode",
        ("m",),
        "mode",
        "mode: saturate or pace",
        "as fast as it goes, or operations that are due at a rate",
        "load",
        9,
    ),
    Action(
        "more_rate",
        ("p",),
        "rate",
        "rate: higher",
        "in pace mode: more operations per second due in each role",
        "load",
        10,
    ),
    Action(
        "less_rate",
        ("P",),
        "rate",
        "rate: lower",
        "in pace mode: fewer operations per second due",
        "load",
    ),
    Action(
        "more_batch",
        ("b",),
        "batch",
        "batch: larger",
        "larger write batches",
        "load",
        11,
        when=has_writers,
    ),
    Action(
        "less_batch",
        ("B",),
        "batch",
        "batch: smaller",
        "smaller write batches",
        "load",
        when=has_writers,
    ),
    Action(
        "more_ttl",
        ("t",),
        "TTL",
        "TTL: longer",
        "a longer life for keys in the cache",
        "load",
        12,
        when=has_cache,
    ),
    Action(
        "less_ttl",
        ("T",),
        "TTL",
        "TTL: shorter",
        "a shorter life for keys in the cache",
        "load",
        when=has_cache,
    ),
    Action(
        "freeze",
        ("f",),
        "freeze",
        "display: freeze or unfreeze",
        "hold the picture; measuring goes on",
        "display",
        3,
        label_undo="unfreeze",
        done=lambda screen_state: screen_state.presentation.frozen,
    ),
    Action(
        "stage",
        ("g", "f5"),
        "stage",
        "display: stage",
        "the largest digits that fit, for a hall",
        "display",
        4,
        when=not_over,
    ),
    Action(
        "shorter_window",
        ("minus",),
        "window",
        "window: shorter",
        "a shorter window for percentiles and standings",
        "display",
        when=has_window,
    ),
    Action(
        "longer_window",
        ("plus", "equals_sign"),
        "window",
        "window: longer",
        "a longer window",
        "display",
        14,
        when=has_window,
    ),
    Action(
        "axis",
        ("y",),
        "axis",
        "axis: shared or own",
        "one y axis for all lanes, or one each",
        "display",
        15,
    ),
    *(
        Action(
            f"maximise_{number}",
            (str(number),),
            "lane",
            f"lane {number}: maximise",
            "show only this lane, or all of them again",
            "display",
            when=has_lane(number - 1),
        )
        for number in range(1, len(LANES) + 1)
    ),
    Action("restore", ("0", "escape"), "all lanes", "lane: show all", "show all lanes", "display"),
    Action(
        "next_theme",
        ("n",),
        "theme",
        "theme: next",
        "dark, light, projector, dark hall",
        "display",
        16,
        when=has_themes,
    ),
    Action(
        "screenshot",
        ("s",),
        "screenshot",
        "screenshot: save SVG",
        "save the screen as an SVG file in the current directory",
        "result",
        17,
        when=always,
    ),
    Action(
        "copy",
        ("c",),
        "copy",
        "standings: copy",
        "copy the standings to the clipboard (OSC 52)",
        "result",
        18,
        when=has_standings,
    ),
    Action(
        "help", ("question_mark", "f1"), "help", "help: keys", "this list", "help", 5, when=always
    ),
)
"""In the order of the help screen."""


METHODS = {action.method: action for action in ACTIONS}
"""The actions by what Textual calls them."""

BY_ID = {action.id: action for action in ACTIONS}


def is_available(action: str, screen_state: ScreenState) -> bool:
    """Return whether the action with this id has anything to do; if not, its key does nothing."""
    return BY_ID[action].when(screen_state)


def bindings() -> list[Binding]:
    """Return one binding for each key, with the action's id so that a keymap can change it.

    Only ctrl+c has priority over the focused widget: every other key can be text that is typed.
    """
    return [
        Binding(key, action.method, action.label, show=False, id=action.id, priority=key == "ctrl+c")
        for action in ACTIONS
        for key in action.keys
    ]  # fmt: skip


def footer(screen_state: ScreenState) -> list[Action]:
    """Return the available actions for the bottom line, the most important first."""
    shown = [action for action in ACTIONS if action.rank and action.when(screen_state)]
    shown.sort(key=lambda action: action.rank)
    if is_available("release", screen_state):
        shown.insert(0, BY_ID["release"])
    return shown
