"""Write the client overhead."""

from __future__ import annotations

from engines.model.lanes import LaneInfo
from tui.draw.styled import QUIET, TEXT, Span, first_fitting, width

WAIT_SHOWN_US = 5.0
"""Scheduling delays below this many us are not shown beside the client overhead."""


def overhead(
    lane_info: LaneInfo, role: str, available: int, wait_us: float | None = None
) -> list[Span]:
    """Return the client overhead of a role's p50 in at most `available` cells; empty where it was not measured.

    A scheduling delay of at least `WAIT_SHOWN_US` is added where it fits.
    """
    overhead_us = lane_info.overhead_us.get(role)
    if overhead_us is None:
        return []
    own = f"{overhead_us:.0f}"
    own_spans: list[Span] = [("telemon ", QUIET), (f"{own} us", TEXT)]
    variants = [[("of which ", QUIET), *own_spans], own_spans]
    if wait_us is not None and wait_us >= WAIT_SHOWN_US:
        # Reserve the width of four digits, or the text would appear and disappear with the number.
        available -= max(0, len("0000") - len(f"{wait_us:.0f}"))
        waits: list[Span] = [
            *(("telemon ", QUIET), (own, TEXT)),
            *((" + waits ", QUIET), (f"{wait_us:.0f} us", TEXT)),
        ]
        sums: list[Span] = [("telemon ", QUIET), (f"{own} + {wait_us:.0f} us", TEXT)]
        variants = [[("of which ", QUIET), *waits], waits, sums, own_spans]
    return first_fitting(variants, available) or own_spans


def overheads(lane_info: LaneInfo, available: int) -> list[Span]:
    """Return the client overhead of both roles in one line; empty if it does not fit into `available` cells."""
    found: list[Span] = []
    for role, word in (("write", " w "), ("read", " r ")):
        if (overhead_us := lane_info.overhead_us.get(role)) is not None:
            found += [(word, QUIET), (f"{overhead_us:.0f}", TEXT)]
    own_spans: list[Span] = [("telemon", QUIET), *found, (" us", QUIET)]
    for spans in ([("  of p50 ", QUIET), *own_spans], [("  ", QUIET), *own_spans]):
        if found and width(spans) <= available:
            return spans
    return []
