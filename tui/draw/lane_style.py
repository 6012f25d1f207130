"""Give each lane a shape besides its colour, so that no information is carried by colour alone."""

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
"""Style name of each state."""


def shape(lane: str) -> str:
    """Return the lane's mark."""
    return SHAPES.get(lane, "◆")


def name(lane_info: LaneInfo) -> str:
    """Return the lane's title, sanitized."""
    return sanitize(lane_info.title)


def servers(lane_info: LaneInfo) -> str:
    """Return products and their versions, sanitized: "MariaDB 10.11.14 + Redis 7.0.15"."""
    products, versions = lane_info.product.split(" + "), lane_info.version.split(" + ")
    if len(products) != len(versions):
        return sanitize(f"{lane_info.product} {lane_info.version}".strip())
    return sanitize(" + ".join(f"{p} {v}".strip() for p, v in zip(products, versions, strict=True)))


def state(lane: LaneView) -> Span:
    """Return the lane's state as a styled word.

    A lane between its heats or at the start barrier is "waiting": nothing is wrong with it.
    """
    if lane.waiting:
        return "waiting", QUIET
    return lane.state.value, STATE_STYLES[lane.state]


def done(lane: LaneView, number: float, write: Callable[[float], str]) -> str:
    """Return `number` as written by `write`.

    Returns `NOTHING` for a lane that waits for its first heat or at the start barrier.

    Such a lane has not stopped, so a zero would be wrong.
    """
    return NOTHING if lane.waiting and not lane.comparable else write(number)


def text_style(lane: str) -> str:
    """Return the style name for text of a lane that must be readable on terminals with unknown colours too."""
    return f"{lane}-text" if lane in SHAPES else lane


def factor_text(rank: Rank | None) -> str:
    """Return the factor to the reference lane: "+2.7x" for the leader, else "2.7x", "3 %" or "level".

    Returns "" if there is no reference lane.
    """
    if rank is None or rank.position is None:
        return ""
    text = margin(rank.factor)
    return f"+{text}" if rank.position == 1 and text not in ("", "level") else text


def rank_text(rank: Rank | None) -> str:
    """Return position and factor in ten cells or fewer, with the factors aligned: "1st +2.7x", "2nd  2.7x"."""
    if rank is None or rank.position is None:
        return ""
    text = factor_text(rank)
    return f"{ordinal(rank.position)} {'' if text[:1] == '+' else ' '}{text}".rstrip()


def rank_spans(rank: Rank | None, style: str, *, worse: str = "behind") -> list[Span]:
    """Return position and factor in words: "1st 2.7x ahead". The leader's are drawn in `style`."""
    if rank is None or rank.position is None:
        return []
    leads = rank.position == 1
    spans: list[Span] = [(ordinal(rank.position), style if leads else STRONG)]
    if text := margin(rank.factor):
        # Equal values are a tie, whatever their rank.
        sense = "" if text == "level" else " ahead" if leads else f" {worse}"
        spans.append((f" {text}{sense}", style if leads else QUIET))
    return spans


def errors(lane: LaneView) -> list[list[Span]]:
    """Return the variants of the number of failed operations, from long to a mark alone; empty where none failed."""
    failed = lane.write.failed + lane.read.failed
    if not failed:
        return []
    texts = (f"✗ {count(failed)} errors", f"✗ {short(failed)}", "✗")
    return [[(text, BAD)] for text in texts]
