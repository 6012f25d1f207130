"""An open loop and telemon's own share in words: what was due, what was late, and how long it took from when."""

from __future__ import annotations

from engines.metrics.frame import Entrant
from tui.draw.format import count, latency, short
from tui.draw.styled import QUIET, STRONG, TEXT, Span, first_fitting, width
from tui.view.view import LaneView, RoleView

OVERLOADED = "overloaded"
"""Beside a lane that cannot do what it is offered."""


def both_times(numbers: RoleView) -> list[list[Span]]:
    """Service and response time side by side, in three rows: what stands below, p50, p99."""
    rows: list[list[Span]] = [[("    service response", QUIET)]]
    for name, service_us, response_us, ink in (
        ("p50", numbers.p50_us, numbers.response_p50_us, TEXT),
        ("p99", numbers.p99_us, numbers.response_p99_us, STRONG),
    ):
        rows.append(
            [
                (f"{name} ", QUIET),
                (latency(service_us).rjust(7), TEXT),
                (latency(response_us).rjust(9), ink),
            ]
        )
    return rows


def response_times(numbers: RoleView) -> list[list[Span]]:
    """The response times alone, in as many rows."""
    return [
        [("response", QUIET)],
        [("p50 ", QUIET), (latency(numbers.response_p50_us).rjust(8), TEXT)],
        [("p99 ", QUIET), (latency(numbers.response_p99_us).rjust(8), STRONG)],
    ]


def backlog(numbers: RoleView, *, brief: bool = False) -> list[Span]:
    """How many operations are due and have not begun."""
    write = short if brief else count
    return [("  backlog ", QUIET), (write(numbers.backlog), STRONG if numbers.backlog else TEXT)]


def late(lane: LaneView, *, brief: bool = False) -> list[Span]:
    """How many operations began late; nothing for a closed loop, which has no due times."""
    if not lane.paced:
        return []
    return [("  late ", QUIET), ((short if brief else count)(lane.late), TEXT)]


WAIT_SHOWN_US = 5.0
"""A wait for a processor below this is left out beside the other figures."""


def floor(entrant: Entrant, role: str, room: int, wait_us: float | None = None) -> list[Span]:
    """telemon's own share of a role's p50, where it was measured: what it takes itself, and what it waits for a
    processor where there is room for that."""
    floor_us = entrant.floor_us.get(role)
    if floor_us is None:
        return []
    own = f"{floor_us:.0f}"
    words: list[Span] = [("telemon ", QUIET), (f"{own} us", TEXT)]
    variants = [[("of which ", QUIET), *words], words]
    if wait_us is not None and wait_us >= WAIT_SHOWN_US:
        # As wide as it may become, or the words would come and go with the number.
        room -= max(0, len("0000") - len(f"{wait_us:.0f}"))
        waits: list[Span] = [
            *(("telemon ", QUIET), (own, TEXT)),
            *((" + waits ", QUIET), (f"{wait_us:.0f} us", TEXT)),
        ]
        sums: list[Span] = [("telemon ", QUIET), (f"{own} + {wait_us:.0f} us", TEXT)]
        variants = [[("of which ", QUIET), *waits], waits, sums, words]
    return first_fitting(variants, room) or words


def floors(entrant: Entrant, room: int) -> list[Span]:
    """The same of both roles, in one line; nothing where it has no room."""
    found: list[Span] = []
    for role, word in (("write", " w "), ("read", " r ")):
        if (floor_us := entrant.floor_us.get(role)) is not None:
            found += [(word, QUIET), (f"{floor_us:.0f}", TEXT)]
    words: list[Span] = [("telemon", QUIET), *found, (" us", QUIET)]
    for spans in ([("  of p50 ", QUIET), *words], [("  ", QUIET), *words]):
        if found and width(spans) <= room:
            return spans
    return []
