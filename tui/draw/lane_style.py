"""Shapes, names, states and ranks of lanes as text. A lane is told by its shape as well as by its colour."""

from __future__ import annotations

from collections.abc import Callable

from engines.metrics.frame import LaneState
from engines.model.lanes import LaneInfo
from tui.draw.format import NOTHING, count, margin, ordinal, sanitize, short
from tui.draw.styled import BAD, GOOD, QUIET, STRONG, WARN, Span
from tui.view.ranking import Rank
from tui.view.view import LaneView

SHAPES = {"mysql": "●", "cached": "▲", "durable": "■"}

STATE_STYLES = {
    LaneState.STARTING: QUIET,
    LaneState.WARMING: WARN,
    LaneState.RACING: GOOD,
    LaneState.PAUSED: WARN,
    LaneState.RECONNECTING: BAD,
    LaneState.DOWN: BAD,
    LaneState.DONE: STRONG,
}


def shape(lane: str) -> str:
    """Return the lane's mark."""
    return SHAPES.get(lane, "◆")


def name(lane_info: LaneInfo) -> str:
    """Return the lane's title, sanitized."""
    return sanitize(lane_info.title)


def servers(lane_info: LaneInfo) -> str:
    """Return products and versions, sanitized: "MariaDB 10.11.14 + Redis 7.0.15"."""
    products, versions = lane_info.product.split(" + "), lane_info.version.split(" + ")
    if len(products) != len(versions):
        return sanitize(f"{lane_info.product} {lane_info.version}".strip())
    return sanitize(" + ".join(f"{p} {v}".strip() for p, v in zip(products, versions, strict=True)))


def state(lane: LaneView) -> Span:
    """Return the lane's state as a word; "waiting" between its heats and at the start barrier."""
    if lane.waiting:
        return "waiting", QUIET
    return lane.state.value, STATE_STYLES[lane.state]


def done(lane: LaneView, number: float, write: Callable[[float], str]) -> str:
    """Return `number` as `write` formats it, or `NOTHING` for a lane that waits for its start."""
    return NOTHING if lane.waiting and not lane.comparable else write(number)


def text_style(lane: str) -> str:
    """Return the style for text of a lane: its own colour, or the default one if the terminal's colours are unknown."""
    return f"{lane}-text" if lane in SHAPES else lane


def gap_text(place: Rank | None) -> str:
    """Return the factor to the reference lane: "+2.7x" for the leader, "2.7x", "3 %", "level"; "" without one."""
    if place is None or place.rank is None:
        return ""
    told = margin(place.gap)
    return f"+{told}" if place.rank == 1 and told not in ("", "level") else told


def rank_text(place: Rank | None) -> str:
    """Return rank and factor in at most ten cells, factors in one column: "1st +2.7x", "2nd  2.7x"."""
    if place is None or place.rank is None:
        return ""
    told = gap_text(place)
    return f"{ordinal(place.rank)} {'' if told[:1] == '+' else ' '}{told}".rstrip()


def rank_of(place: Rank | None, style: str, *, worse: str = "behind") -> list[Span]:
    """Return rank and factor in words: "1st 2.7x ahead". `style` is for the leader."""
    if place is None or place.rank is None:
        return []
    leads = place.rank == 1
    spans: list[Span] = [(ordinal(place.rank), style if leads else STRONG)]
    if told := margin(place.gap):
        # Equal values are a tie, whatever their rank.
        sense = "" if told == "level" else " ahead" if leads else f" {worse}"
        spans.append((f" {told}{sense}", style if leads else QUIET))
    return spans


def errors(lane: LaneView) -> list[list[Span]]:
    """Return the number of failed operations in three variants, the longest first; none if nothing failed."""
    failed = lane.write.failed + lane.read.failed
    if not failed:
        return []
    told = (f"✗ {count(failed)} errors", f"✗ {short(failed)}", "✗")
    return [[(text, BAD)] for text in told]
