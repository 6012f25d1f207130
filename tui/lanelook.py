"""How a lane looks besides its colour: a shape of its own, so that nothing is told by colour alone."""

from __future__ import annotations

from collections.abc import Callable

from engines.frame import Entrant, LaneState
from tui.figures import NOTHING, gap, ordinal, plain
from tui.ink import BAD, GOOD, QUIET, STRONG, WARN, Span
from tui.standings import Place
from tui.view import LaneView

SHAPES = {"mysql": "●", "cached": "▲", "durable": "■"}

STATE_INKS = {
    LaneState.STARTING: QUIET,
    LaneState.WARMING: WARN,
    LaneState.RACING: GOOD,
    LaneState.PAUSED: WARN,
    LaneState.RECONNECTING: BAD,
    LaneState.DOWN: BAD,
    LaneState.DONE: STRONG,
}


def shape(lane: str) -> str:
    """The lane's mark."""
    return SHAPES.get(lane, "◆")


def name(entrant: Entrant) -> str:
    """The lane's title, safe to show."""
    return plain(entrant.title)


def servers(entrant: Entrant) -> str:
    """Products and their versions, safe to show: "MariaDB 10.11.14 + Redis 7.0.15"."""
    products, versions = entrant.product.split(" + "), entrant.version.split(" + ")
    if len(products) != len(versions):
        return plain(f"{entrant.product} {entrant.version}".strip())
    return plain(" + ".join(f"{p} {v}".strip() for p, v in zip(products, versions, strict=True)))


def state(lane: LaneView) -> Span:
    """The lane's state as a word. Between its heats it waits: nothing is wrong with it."""
    if lane.waiting:
        return "waiting", QUIET
    return lane.state.value, STATE_INKS[lane.state]


def rate(lane: LaneView, per_s: float, write: Callable[[float], str]) -> str:
    """A rate as `write` has it; nothing for a lane that waits for its first heat: it does not stand still."""
    return NOTHING if lane.waiting and not lane.comparable else write(per_s)


def place(
    place: Place | None, ink: str, *, better: str = "ahead", worse: str = "behind"
) -> list[Span]:
    """A rank and a gap in words: "1st  2.7x ahead". `ink` is for the leader."""
    if place is None or place.rank is None:
        return []
    spans: list[Span] = [(ordinal(place.rank), ink if place.rank == 1 else STRONG)]
    if place.gap is not None:
        # Equal values are a tie, whatever their rank.
        words = f" {gap(place.gap)} {better if place.rank == 1 else worse}"
        spans.append((words if place.gap >= 1.005 else " level", ink if place.rank == 1 else QUIET))
    return spans
