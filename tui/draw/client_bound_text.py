"""Write which limits of the client a lane has reached, in variants for different widths."""

from __future__ import annotations

from collections.abc import Iterator

from tui.draw.styled import BADGE, TEXT, Span
from tui.view.view import LaneView

CLIENT_BOUND = "client-bound"
"""Text beside a lane that the client may be limiting."""


def reasons(lane: LaneView) -> Iterator[str]:
    """Yield the limits that make the lane client-bound: all of them with units, all of them, only the first."""
    limits = lane.client_bound_by
    brief = [limit.removesuffix(" of a core") for limit in limits]
    if limits:
        yield " and ".join(limits)
        yield ", ".join(brief)
        yield brief[0]


def client_bound(lane: LaneView) -> list[str]:
    """Return the variants of the badge's text from the longest to the shortest.

    Returns an empty list for a lane that is not client-bound.
    """
    if not lane.client_bound:
        return []
    return [*(f"{CLIENT_BOUND}: {reason}" for reason in reasons(lane)), CLIENT_BOUND]


def badge(text: str) -> list[Span]:
    """Return `text` as a badge, which is drawn in an inverse style."""
    return [(f" {text} ", BADGE)]


def bound_by(lane: LaneView) -> list[list[Span]]:
    """Return the variants of the limits alone, for a lane that is called client-bound in another place."""
    return [[(f"bound by {reason}", TEXT)] for reason in reasons(lane)]
