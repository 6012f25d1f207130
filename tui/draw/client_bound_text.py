"""What limits a lane besides its servers, in words: how much is said depends on the room."""

from __future__ import annotations

from collections.abc import Iterator

from tui.draw.styled import BADGE, TEXT, Span
from tui.view.view import LaneView

CLIENT_BOUND = "client-bound"
"""Said of a lane that telemon itself may be limiting."""


def reasons(lane: LaneView) -> Iterator[str]:
    """What makes the lane client-bound: all of it with its units, all of it, the first of it."""
    limits = lane.client_bound_by
    brief = [limit.removesuffix(" of a core") for limit in limits]
    if limits:
        yield " and ".join(limits)
        yield ", ".join(brief)
        yield brief[0]


def client_bound(lane: LaneView) -> list[str]:
    """That it is, with as much of the reason as there is; the word alone comes last. Nothing for any other lane."""
    if not lane.client_bound:
        return []
    return [*(f"{CLIENT_BOUND}: {reason}" for reason in reasons(lane)), CLIENT_BOUND]


def badge(text: str) -> list[Span]:
    """A word that must not be overlooked."""
    return [(f" {text} ", BADGE)]


def bound_by(lane: LaneView) -> list[list[Span]]:
    """The reason alone, for a lane that is called client-bound elsewhere; nothing where there is no room for it."""
    return [[(f"bound by {reason}", TEXT)] for reason in reasons(lane)]
