"""Write the numbers of an open loop: backlog, late starts, service and response times."""

from __future__ import annotations

from tui.draw.format import count, latency, short
from tui.draw.styled import QUIET, STRONG, TEXT, Span
from tui.view.view import LaneView, RoleView

OVERLOADED = "overloaded"
"""Text beside a lane that cannot hold its offered rate."""


def both_times(numbers: RoleView) -> list[list[Span]]:
    """Return service and response times side by side in three rows: column titles, p50, p99."""
    rows: list[list[Span]] = [[("    service response", QUIET)]]
    for name, service_us, response_us, style in (
        ("p50", numbers.p50_us, numbers.response_p50_us, TEXT),
        ("p99", numbers.p99_us, numbers.response_p99_us, STRONG),
    ):
        rows.append(
            [
                (f"{name} ", QUIET),
                (latency(service_us).rjust(7), TEXT),
                (latency(response_us).rjust(9), style),
            ]
        )
    return rows


def response_times(numbers: RoleView) -> list[list[Span]]:
    """Return the response times alone, in three rows."""
    return [
        [("response", QUIET)],
        [("p50 ", QUIET), (latency(numbers.response_p50_us).rjust(8), TEXT)],
        [("p99 ", QUIET), (latency(numbers.response_p99_us).rjust(8), STRONG)],
    ]


def backlog(numbers: RoleView, *, brief: bool = False) -> list[Span]:
    """Return how many operations are due and have not begun."""
    write = short if brief else count
    return [("  backlog ", QUIET), (write(numbers.backlog), STRONG if numbers.backlog else TEXT)]


def late_text(lane: LaneView, *, brief: bool = False) -> list[Span]:
    """Return how many operations began late; empty for a closed loop, which has no due times."""
    if not lane.paced:
        return []
    return [("  late ", QUIET), ((short if brief else count)(lane.late), TEXT)]
