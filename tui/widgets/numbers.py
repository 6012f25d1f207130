"""Numbers only, for a terminal too small for anything else. It shows something in any size."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui import lanelook
from tui.figures import gap, latency, ordinal, short
from tui.ink import QUIET, STRONG, TEXT, Line, Span, spread
from tui.ink import width as cells
from tui.view import LaneView, RoleView, Scene
from tui.widgets.panel import Panel


def role_spans(lane: LaneView, role: str, width: int) -> tuple[list[Span], list[Span]]:
    """One role's rate and p99 in at most `width` cells, and its rank and gap."""
    numbers = lane.write if role == "write" else lane.read
    left: list[Span] = [
        (" w " if role == "write" else " r ", QUIET),
        (f"{lanelook.rate(lane, numbers.rows_per_s, short):>5}/s", lane.lane),
    ]
    if lane.paced:
        return [*left, *_open_loop(numbers, width - cells(left))], []
    left += [(" p99 ", QUIET), (f"{latency(numbers.p99_us):>8}", TEXT)]
    place = lane.places.get(role)
    if place is None or place.rank is None:
        return left, []
    sign = "+" if place.rank == 1 else ""
    return left, [(f" {ordinal(place.rank)} {sign}{gap(place.gap)}", STRONG)]


def _open_loop(numbers: RoleView, width: int) -> list[Span]:
    """Response time and backlog: what is left out here would hide that a lane falls behind."""
    response = f" {latency(numbers.response_p99_us):>7}"
    behind = f"{short(numbers.backlog):>5}"
    variants = (
        [
            (" service p99", QUIET), (f" {latency(numbers.p99_us):>7}", TEXT),
            ("  response", QUIET), (response, STRONG), ("  backlog ", QUIET), (behind, STRONG),
        ],
        [(" response p99", QUIET), (response, TEXT), ("  backlog ", QUIET), (behind, STRONG)],
        [(" resp p99", QUIET), (response, TEXT), (" backlog ", QUIET), (behind, STRONG)],
        [(" resp", QUIET), (response, TEXT), (" backlog ", QUIET), (behind, STRONG)],
        [(" resp", QUIET), (response, TEXT)],
    )  # fmt: skip
    return next((spans for spans in variants if cells(spans) <= width), variants[-1])


def rates(lane: LaneView) -> Line:
    """Both roles' rates in seventeen cells: where there is one row for each lane, every lane is seen."""
    return (
        (lanelook.shape(lane.lane), lane.lane),
        (" w ", QUIET),
        (f"{lanelook.rate(lane, lane.write.rows_per_s, short):>5}", lane.lane),
        (" r ", QUIET),
        (f"{lanelook.rate(lane, lane.read.rows_per_s, short):>5}", lane.lane),
    )


class Numbers(Panel):
    """Three rows per lane where there is height, else one row per lane and role, else what fits. An open loop has more
    to say, so it takes a row per role also in a wide terminal."""

    DEFAULT_CSS = "Numbers { height: 1fr; }"

    def draw(self, scene: Scene, size: Size) -> Sequence[Line]:
        if scene.view is None:
            return []
        lanes = scene.view.lanes
        roomy = size.height >= 2 * len(lanes)
        if size.width >= 60 and not (roomy and any(lane.paced for lane in lanes)):
            return [self._wide(lane, size.width) for lane in lanes]
        titled = size.height >= 3 * len(lanes)
        if size.height < 2 * len(lanes):
            return [rates(lane) for lane in lanes]
        lines: list[Line] = []
        for lane in lanes:
            name = f"{lanelook.shape(lane.lane)} {lanelook.name(scene.entrant(lane.lane))}"
            if titled:
                said = [
                    (word, STRONG)
                    for word, holds in (
                        ("overloaded ", lane.overloaded),
                        ("client-bound ", lane.client_bound),
                    )
                    if holds
                ]
                # Where both do not fit beside the name, the first one tells more.
                room = size.width - len(name) - len(lane.state.value) - 1
                while cells(said) > room and len(said) > 1:
                    said.pop()
                lines.append(spread([(name, lane.lane)], [*said, lanelook.state(lane)], size.width))
            for role in ("write", "read"):
                mark: list[Span] = [] if titled else [(lanelook.shape(lane.lane), lane.lane)]
                left, right = role_spans(lane, role, size.width - cells(mark))
                lines.append(spread([*mark, *left], right, size.width))
        return lines

    def _wide(self, lane: LaneView, width: int) -> Line:
        half = width // 2 - 1
        writes, _ = role_spans(lane, "write", half)
        reads, place = role_spans(lane, "read", half)
        line = [(lanelook.shape(lane.lane), lane.lane), *writes, (" ", TEXT), *reads]
        if lane.paced and not any("backlog" in text for text, _ in line):
            behind = f" backlog {short(lane.write.backlog + lane.read.backlog)}"
            place = [(behind, STRONG)] if cells(line) + len(behind) <= width else []
        return spread(line, place, width)
