"""Everything that can be done on the screen: bindings, command palette and help are made from this one list."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding

from tui.actions.availability import is_available
from tui.view.state import ScreenState

KEY_NAMES = {
    "space": "space", "enter": "enter", "minus": "-", "plus": "+", "equals_sign": "=",
    "question_mark": "?", "f1": "F1", "f5": "F5", "escape": "esc", "ctrl+p": "^p", "ctrl+c": "^c",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """`id` names the app's method `action_<id>`; `keys` are Textual's names, the first one is shown; `label` stands
    in the footer (where `rank` is above 0, the lowest first), `name` in the command palette, `text` in the help."""

    id: str
    keys: tuple[str, ...]
    label: str
    name: str
    text: str
    group: str
    rank: int = 0

    @property
    def shown_keys(self) -> tuple[str, ...]:
        """The keys as people write them."""
        return tuple(KEY_NAMES.get(key, key) for key in self.keys)

    @property
    def shown_key(self) -> str:
        return self.shown_keys[0]

    @property
    def method(self) -> str:
        """The action as Textual calls it: maximise_2 is maximise(2)."""
        head, _, last = self.id.rpartition("_")
        return f"{head}({last})" if last.isdigit() else self.id


ACTIONS = (
    Action(
        "quit",
        ("q", "ctrl+c"),
        "quit",
        "race: quit",
        "end the race and print its result",
        "race",
        1,
    ),
    Action(
        "release",
        ("enter",),
        "go",
        "race: release all lanes",
        "with --hold: count down and release all lanes; 1 2 3 release one",
        "race",
    ),
    Action(
        "pause",
        ("space",),
        "pause",
        "load: pause or resume",
        "pause or resume the load; connections stay",
        "race",
        2,
    ),
    Action(
        "flush",
        ("x",),
        "flush cache",
        "cache: flush",
        "remove telemon's own keys from the cache: a cold start",
        "race",
        8,
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
    ),
    Action(
        "fewer_writers",
        ("W",),
        "writers",
        "writers: one fewer",
        "one fewer writer connection in every lane",
        "load",
    ),
    Action(
        "more_readers",
        ("r",),
        "readers",
        "readers: one more",
        "one more reader connection in every lane",
        "load",
        7,
    ),
    Action(
        "fewer_readers",
        ("R",),
        "readers",
        "readers: one fewer",
        "one fewer reader connection in every lane",
        "load",
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
    Action("more_batch", ("b",), "batch", "batch: larger", "larger write batches", "load", 11),
    Action("less_batch", ("B",), "batch", "batch: smaller", "smaller write batches", "load"),
    Action(
        "more_ttl", ("t",), "TTL", "TTL: longer", "a longer life for keys in the cache", "load", 12
    ),
    Action(
        "less_ttl", ("T",), "TTL", "TTL: shorter", "a shorter life for keys in the cache", "load"
    ),
    Action(
        "freeze",
        ("f",),
        "freeze",
        "display: freeze or unfreeze",
        "hold the picture; measuring goes on",
        "display",
        3,
    ),
    Action(
        "stage",
        ("g", "f5"),
        "stage",
        "display: stage",
        "the largest digits that fit, for a hall",
        "display",
        4,
    ),
    Action(
        "shorter_window",
        ("minus",),
        "window",
        "window: shorter",
        "a shorter window for percentiles and standings",
        "display",
    ),
    Action(
        "longer_window",
        ("plus", "equals_sign"),
        "window",
        "window: longer",
        "a longer window",
        "display",
        14,
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
    Action(
        "maximise_1",
        ("1",),
        "lane",
        "lane 1: maximise",
        "show only this lane, or all of them again",
        "display",
    ),
    Action(
        "maximise_2",
        ("2",),
        "lane",
        "lane 2: maximise",
        "show only this lane, or all of them again",
        "display",
    ),
    Action(
        "maximise_3",
        ("3",),
        "lane",
        "lane 3: maximise",
        "show only this lane, or all of them again",
        "display",
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
    ),
    Action(
        "screenshot",
        ("s",),
        "screenshot",
        "screenshot: save SVG",
        "save the screen as an SVG file in the current directory",
        "result",
        17,
    ),
    Action(
        "copy",
        ("c",),
        "copy",
        "standings: copy",
        "copy the standings to the clipboard (OSC 52)",
        "result",
        18,
    ),
    Action("help", ("question_mark", "f1"), "help", "help: keys", "this list", "help", 5),
)
"""In the order of the help screen."""


METHODS = {action.method: action for action in ACTIONS}
"""By what Textual calls it."""


def bindings() -> list[Binding]:
    """One binding for each key, with the action's id so that a keymap can change it. Only ctrl+c goes before what has
    the keys at the moment: every other one can be text that is typed."""
    return [
        Binding(key, action.method, action.label, show=False, id=action.id, priority=key == "ctrl+c")
        for action in ACTIONS
        for key in action.keys
    ]  # fmt: skip


def footer(screen_state: ScreenState) -> list[Action]:
    """The actions for the bottom line, the most important first: those that can be done now."""
    shown = [action for action in ACTIONS if action.rank and is_available(action.id, screen_state)]
    shown.sort(key=lambda action: action.rank)
    if is_available("release", screen_state):
        shown.insert(0, METHODS["release"])
    return shown
