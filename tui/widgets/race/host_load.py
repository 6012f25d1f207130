"""Show the load of this machine, of the engine processes and of the screen itself."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.draw import lane_style
from tui.draw.client_bound_text import CLIENT_BOUND
from tui.draw.format import bytes_per_s
from tui.draw.styled import BADGE, QUIET, TEXT, WARN, Line, Span, first_fitting
from tui.draw.styled import width as cells
from tui.view.state import ScreenState
from tui.widgets.base.panel import Panel

SCREEN_LATE_S = 0.1
"""Delay of the screen's event loop in seconds from which on the screen is marked as late.

From here on the display stutters, and not the race.
"""


def _gib(size_bytes: int) -> str:
    """Return a size in GiB with one decimal."""
    return f"{size_bytes / 2**30:.1f}"


class HostLoadBar(Panel):
    """Host, engine processes, screen and network in one line; parts that do not fit are left out from the right.

    The marks of client-bound lanes are shown beside the engine processes.
    """

    def draw(self, screen_state: ScreenState, size: Size) -> Sequence[Line]:
        """Return the line; nothing before the first view."""
        view = screen_state.view
        if view is None:
            return []
        parts: list[list[Span]] = []
        host = view.host
        if host is not None:
            parts.append(
                [("cpu ", QUIET), (f"{host.cpu_share * 100:3.0f} %", TEXT), (f" of {host.cpus}", QUIET)]
            )  # fmt: skip
        engines: list[Span] = [("engines", QUIET)]
        for lane in view.lanes:
            share = f"{lane.cpu_share * 100:2.0f} %"
            engines += [
                (f" {lane_style.shape(lane.lane)} ", lane.lane),
                (share, BADGE if lane.client_bound else TEXT),
            ]
        bound = [lane.lane for lane in view.lanes if lane.client_bound]
        bound_marks: list[Span] = [(f" {CLIENT_BOUND}", WARN)] if bound else []
        bound_marks += [(f" {lane_style.shape(lane)}", lane) for lane in bound]
        # The marks are shown at the lanes too, so they are dropped before the engine processes are.
        available = (
            size.width - cells([(" ", TEXT), *(span for part in parts for span in part)]) - 3
        )
        parts.append(first_fitting(([*engines, *bound_marks], engines), available) or engines)
        late = screen_state.screen_lag_s > SCREEN_LATE_S
        parts.append(
            [
                ("screen lag ", QUIET),
                (f"{screen_state.screen_lag_s * 1000:3.0f} ms", WARN if late else TEXT),
                (" LATE" if late else "", WARN),
            ]
        )
        if host is not None:
            memory = f"{_gib(host.memory_used_bytes)}/{_gib(host.memory_bytes)}"
            parts.append([("memory ", QUIET), (f"{memory} GiB", TEXT)])
            if host.received_bytes_per_s is not None and host.sent_bytes_per_s is not None:
                parts.append(
                    [
                        ("net in ", QUIET), (bytes_per_s(host.received_bytes_per_s).rjust(9), TEXT),
                        (" out ", QUIET), (bytes_per_s(host.sent_bytes_per_s).rjust(9), TEXT),
                    ]
                )  # fmt: skip
        line: list[Span] = [(" ", QUIET)]
        for part in parts:
            more: list[Span] = [("   " if len(line) > 1 else "", QUIET), *part]
            if cells(line) + cells(more) <= size.width:
                line += more
        return [tuple(line)]
