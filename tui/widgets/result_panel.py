"""The end of a race: the standings, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from textual.geometry import Size
from textual.reactive import var

from engines.frame import LaneFrame
from tui import lanelook
from tui.figures import clipped, clock, count, gap, latency, ordinal
from tui.ink import BLANK, QUIET, STRONG, TEXT, WARN, Line, Span, fitted
from tui.standings import Place
from tui.verdict import Finish
from tui.widgets.rows import Rows

COLUMNS = ("writes/s", "reads/s", "read p99")


def value(frame: LaneFrame, metric: str) -> str:
    """The lane's figure over the whole race."""
    if metric == "p99":
        return latency(frame.read.service.percentile_us(99) or None)
    return count((frame.write if metric == "write" else frame.read).rows_per_s)


def cell(finish: Finish, metric: str, room: int) -> list[Span]:
    """Figure, rank and gap."""
    place: Place = finish.places[metric]
    lane = finish.frame.lane
    figure = value(finish.frame, metric)
    if place.rank is None:
        return list(fitted([("-".rjust(_figure_cells(room)), QUIET)], room))
    ink = lane if place.rank == 1 else TEXT
    sign = "+" if place.rank == 1 else ""
    short = [(figure.rjust(_figure_cells(room)), STRONG), (f" {ordinal(place.rank)}", ink)]
    if room >= _figure_cells(room) + 12:
        short.append((f" {sign + gap(place.gap):>7}", ink))
    return list(fitted(short, room))


def _figure_cells(room: int) -> int:
    """Where a column's figures end, so that its rank still fits."""
    return min(10, room - 5)


def report(
    finishes: Sequence[Finish], notes: Sequence[str], duration_s: float, width: int
) -> list[Line]:
    """The whole result, however many rows it takes."""
    name_room = min(24, max(18, width // 4))
    room = min(26, max(13, (width - name_room - 2) // 3))
    heading: list[Span] = [(" " * name_room, QUIET)]
    for title in COLUMNS:
        heading += fitted([(title.rjust(_figure_cells(room)), QUIET)], room)
    lines: list[Line] = [
        ((f" result after {clock(duration_s)}", STRONG),), BLANK, tuple(heading)
    ]  # fmt: skip
    for finish in finishes:
        lane = finish.frame.lane
        title = f" {lanelook.shape(lane)} {lanelook.name(finish.entrant)}"
        row: list[Span] = list(fitted([(clipped(title, name_room - 1), lane)], name_room))
        for metric in ("write", "read", "p99"):
            row += cell(finish, metric, room)
        lines.append(tuple(row))
    for finish in finishes:
        lane = finish.frame.lane
        lines += [BLANK, ((f" {lanelook.shape(lane)} {lanelook.name(finish.entrant)}", lane),)]
        text = " ".join(finish.sentences)
        lines += [((f"   {part}", TEXT),) for part in textwrap.wrap(text, max(20, width - 5))]
    if notes:
        lines.append(BLANK)
    for note in notes:
        lines += [((f" {part}", WARN),) for part in textwrap.wrap(note, max(20, width - 3))]
    return lines


class ResultPanel(Rows):
    """As high as the result: the screen scrolls where that is higher than the terminal."""

    DEFAULT_CSS = "ResultPanel { height: auto; }"

    finishes: var[tuple[Finish, ...]] = var(())

    def __init__(
        self,
        finishes: tuple[Finish, ...],
        notes: tuple[str, ...],
        duration_s: float,
        *,
        glyphs: str,
    ) -> None:
        super().__init__()
        self._notes = notes
        self._duration_s = duration_s
        self.ascii_only = glyphs == "ascii"
        self.set_reactive(ResultPanel.finishes, finishes)

    def _report(self, width: int) -> list[Line]:
        return report(self.finishes, self._notes, self._duration_s, width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._report(width))

    def on_resize(self) -> None:
        self._lines = []
        self.show_lines(self._report(self.size.width))
