"""How a lane looks besides its colour: a shape of its own, so that nothing is told by colour alone."""

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
    """The lane's mark."""
    return SHAPES.get(lane, "◆")


def name(lane_info: LaneInfo) -> str:
    """The lane's title, safe to show."""
    return sanitize(lane_info.title)


def servers(lane_info: LaneInfo) -> str:
    """Products and their versions, safe to show: "MariaDB 10.11.14 + Redis 7.0.15"."""
    products, versions = lane_info.product.split(" + "), lane_info.version.split(" + ")
    if len(products) != len(versions):
        return sanitize(f"{lane_info.product} {lane_info.version}".strip())
    return sanitize(" + ".join(f"{p} {v}".strip() for p, v in zip(products, versions, strict=True)))


def state(lane: LaneView) -> Span:
    """The lane's state as a word. Between its heats, or at the start line, it waits: nothing is wrong with it."""
    if lane.waiting:
        return "waiting", QUIET
    return lane.state.value, STATE_STYLES[lane.state]


def done(lane: LaneView, number: float, write: Callable[[float], str]) -> str:
    """What the lane did, as `write` has it; nothing for one that waits for its first heat, or at the start line: it
    does not stand still."""
    return NOTHING if lane.waiting and not lane.comparable else write(number)


def text_style(lane: str) -> str:
    """The ink for what must be read of a lane: its own colour, but on terminals whose colours nobody knows."""
    return f"{lane}-text" if lane in SHAPES else lane


def gap_text(rank: Rank | None) -> str:
    """How far from its rival: "+2.7x" for the leader, "2.7x", "3 %", "level"; nothing without a rival."""
    if rank is None or rank.position is None:
        return ""
    factor_text = margin(rank.factor)
    return (
        f"+{factor_text}"
        if rank.position == 1 and factor_text not in ("", "level")
        else factor_text
    )


def rank_text(rank: Rank | None) -> str:
    """Rank and gap in ten cells or fewer, the gaps in one column: "1st +2.7x", "2nd  2.7x"."""
    if rank is None or rank.position is None:
        return ""
    factor_text = gap_text(rank)
    return f"{ordinal(rank.position)} {'' if factor_text[:1] == '+' else ' '}{factor_text}".rstrip()


def rank_spans(rank: Rank | None, style: str, *, worse: str = "behind") -> list[Span]:
    """A rank and a gap in words: "1st 2.7x ahead". `ink` is for the leader."""
    if rank is None or rank.position is None:
        return []
    leads = rank.position == 1
    spans: list[Span] = [(ordinal(rank.position), style if leads else STRONG)]
    if factor_text := margin(rank.factor):
        # Equal values are a tie, whatever their rank.
        sense = "" if factor_text == "level" else " ahead" if leads else f" {worse}"
        spans.append((f" {factor_text}{sense}", style if leads else QUIET))
    return spans


def errors(lane: LaneView) -> list[list[Span]]:
    """How many operations failed, at length, briefly, and as a mark alone; no variant where none did."""
    failed = lane.write.failed + lane.read.failed
    if not failed:
        return []
    texts = (f"✗ {count(failed)} errors", f"✗ {short(failed)}", "✗")
    return [[(text, BAD)] for text in texts]
