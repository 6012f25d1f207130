"""The end of a race: the standings, how far to trust them, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from textual.geometry import Size
from textual.reactive import var

from engines.results.rounds import RoundRange
from tui.draw import lane_style as lanelook
from tui.draw.format import clip, count, latency, margin, ordinal, short
from tui.draw.styled import BAD, BLANK, QUIET, STRONG, TEXT, WARN, Line, Span, fit
from tui.draw.styled import width as cells_of
from tui.report.race_report import METRICS, LaneReport, RaceReport
from tui.widgets.base.lines import LinesWidget

TABLE_CELLS = 57
"""From this width on the standings are a table; below it each lane has two lines."""

LABEL_CELLS = 9
"""Of what stands before a lane's figures."""


def titles(paced: bool) -> dict[str, str]:
    """What stands in the columns: rows per second of a closed loop, or what an open one did of its offer; and the p99
    of reads, which of an open loop is that of the response time."""
    if paced:
        return {"write": "write op/s", "read": "read op/s", "p99": "resp. p99"}
    return {"write": "writes/s", "read": "reads/s", "p99": "read p99"}


def value(lane_report: LaneReport, metric: str, room: int) -> str:
    """The lane's figure over the whole race, shortened where it does not fit."""
    if metric == "p99":
        return latency(lane_report.read_p99_us)
    offer = lane_report.offered_loads.get(metric)
    if offer is not None:
        rate = offer.achieved_per_s
        return f"{rate:.1f}" if rate < 1000 else _fitting(rate, room)
    work = lane_report.frame.write if metric == "write" else lane_report.frame.read
    return _fitting(work.rows_per_s, room)


def _fitting(number: float, room: int) -> str:
    text = count(number)
    return text if len(text) <= room else short(number)


def standing(lane_report: LaneReport, metric: str) -> tuple[str, str, str]:
    """Rank, gap and ink: ("1st", "+2.7x", "durable"). Rates that an open loop was offered are no race: they are
    "held" or "short"."""
    place = lane_report.ranks[metric]
    offer = lane_report.offered_loads.get(metric)
    if offer is not None:
        if offer.held is None:
            return "", "", TEXT
        over = (offer.off_percent or 0.0) > 0
        return ("held", "", TEXT) if offer.held else ("over" if over else "short", "", WARN)
    if place.rank is None or place.gap is None:
        return "", "", TEXT
    apart = margin(place.gap)
    sign = "+" if place.rank == 1 and apart != "level" else ""
    return ordinal(place.rank), sign + apart, lane_report.frame.lane if place.rank == 1 else TEXT


def cell(lane_report: LaneReport, metric: str, room: int) -> list[Span]:
    """Figure, rank and gap."""
    figure = value(lane_report, metric, _figure_cells(room)).rjust(_figure_cells(room))
    rank, apart, style = standing(lane_report, metric)
    short_of = [(figure, STRONG), (f" {rank}", style)]
    if apart and room >= _figure_cells(room) + 12:
        short_of.append((f" {apart:>7}", style))
    return list(fit(short_of, room))


def _figure_cells(room: int) -> int:
    """Where a column's figures end, so that its rank still fits."""
    return min(11, room - 6)


def apart(spread: RoundRange, metric: str, room: int) -> str:
    """From where to where the rounds lie: "54,363-55,523", "2.85-3.65 ms"."""
    if metric != "p99":
        text = f"{count(spread.low)}-{count(spread.high)}"
        return text if len(text) < room else f"{short(spread.low)}-{short(spread.high)}"
    low, high = latency(spread.low), latency(spread.high)
    if low[-2:] == high[-2:]:
        low = low.partition(" ")[0]
    return f"{low}-{high}"


def _table(race: RaceReport, width: int) -> Iterator[Line]:
    """The lanes below one another, a column for each thing that they are ranked by."""
    name_room = min(24, max(18, width // 4))
    room = min(26, max(13, (width - name_room) // 3))
    heading: list[Span] = [(" " * name_room, QUIET)]
    for title in titles(race.paced).values():
        heading += fit([(title.rjust(_figure_cells(room)), QUIET)], room)
    yield tuple(heading)
    for lane_report in race.lane_reports:
        lane = lane_report.frame.lane
        title = f" {lanelook.shape(lane)} {lanelook.name(lane_report.lane_info)}"
        row: list[Span] = list(fit([(clip(title, name_room - 1), lane)], name_room))
        for metric in METRICS:
            row += cell(lane_report, metric, room)
        yield tuple(row)
        if lane_report.spreads:
            row = list(fit([("   min-max", QUIET)], name_room))
            for metric in METRICS:
                spread = lane_report.spreads.get(metric)
                text = "" if spread is None else apart(spread, metric, room)
                row += fit([(text.rjust(_figure_cells(room)), QUIET)], room)
            yield tuple(row)


def _stacked(race: RaceReport, width: int) -> Iterator[Line]:
    """Two lines for each lane, for a terminal that has no room for a table."""
    names = titles(race.paced)
    for lane_report in race.lane_reports:
        lane = lane_report.frame.lane
        parts = {}
        for metric in METRICS:
            rank, _, style = standing(lane_report, metric)
            name = names[metric].removeprefix("read ") if metric == "p99" else f"{metric}s"
            parts[metric] = [
                (f"{name} ", QUIET),
                (value(lane_report, metric, 5), STRONG),
                (f" {rank}" if rank else "", style),
            ]
        title = f"{lanelook.shape(lane)} {lanelook.name(lane_report.lane_info)}"
        p99 = parts["p99"]
        room = max(8, width - cells_of(p99) - 1)
        yield (*fit([(clip(title, room), lane)], room), (" ", TEXT), *p99)
        beside = (("  ", TEXT), *parts["write"], ("  ", TEXT), *parts["read"])
        if cells_of(beside) <= width:
            yield beside
        else:
            yield (("  ", TEXT), *parts["write"])
            yield (("  ", TEXT), *parts["read"])
        if lane_report.spreads:
            texts = [
                f"{metric if metric == 'p99' else f'{metric}s'} {apart(lane_report.spreads[metric], metric, 12)}"
                for metric in METRICS
                if metric in lane_report.spreads
            ]
            yield from _wrapped(f"min-max {', '.join(texts)}", QUIET, width, "  ")


def _wrapped(
    text: str, style: str, width: int, indent: str, first: str | None = None
) -> Iterator[Line]:
    """`text` in lines of at most `width` cells; nothing of it is cut."""
    start = indent if first is None else first
    for part in textwrap.wrap(text, max(20, width), initial_indent=start, subsequent_indent=indent):
        yield ((part, style),)


def report(race: RaceReport, width: int) -> list[Line]:
    """The whole result, however many rows it takes: what matters most first."""
    narrow = width < TABLE_CELLS
    margin_left = "" if narrow else " "
    lines: list[Line] = []
    if race.fault is not None:
        lines += _wrapped(f"broken off: {race.fault}", BAD, width - 1, margin_left)
    lines += _wrapped(race.heading, STRONG, width, margin_left)
    lines += _stacked(race, width) if narrow else [BLANK, *_table(race, width)]
    lines.append(BLANK)
    for text in race.trust:
        good = text.startswith("counts reconciled")
        lines += _wrapped(text, TEXT if good else WARN, width - 1, margin_left + "  ", margin_left)
    for lane_report in race.lane_reports:
        lines += [BLANK, _name(lane_report, margin_left)]
        style = (
            BAD
            if not lane_report.frame.write.operations + lane_report.frame.read.operations
            else TEXT
        )
        lines += _wrapped(" ".join(lane_report.findings), style, width - 1, margin_left + "  ")
    if race.notes:
        lines += [BLANK, ((f"{margin_left}keep in mind", QUIET),)]
    for note in race.notes:
        lines += _wrapped(note, WARN, width - 1, margin_left + "  ")
    lines += _latencies(race, width, margin_left)
    lines += _sheet(race, width, margin_left)
    if race.changes:
        lines += [BLANK, ((f"{margin_left}changed while racing", QUIET),)]
    for change in race.changes:
        lines += _wrapped(change, TEXT, width - 1, margin_left + "    ", margin_left + "  ")
    return lines


def _name(lane_report: LaneReport, margin_left: str) -> Line:
    lane = lane_report.frame.lane
    return ((f"{margin_left}{lanelook.shape(lane)} {lanelook.name(lane_report.lane_info)}", lane),)


def _latencies(race: RaceReport, width: int, margin_left: str) -> Iterator[Line]:
    """Percentiles of both roles of each lane."""
    if not any(race.figures.values()):
        return
    yield BLANK
    said = "latencies: service time from when it was sent, response time from when it was due"
    yield from _wrapped(
        said if race.paced else "latencies", QUIET, width - 1, margin_left, margin_left
    )
    for lane_report in race.lane_reports:
        figures = race.figures.get(lane_report.frame.lane, ())
        if not figures:
            continue
        yield _name(lane_report, margin_left)
        for label, text in figures:
            first = f"{margin_left}  {label.ljust(LABEL_CELLS)}"
            yield from _wrapped(text, TEXT, width - 1, " " * len(first), first)


def _sheet(race: RaceReport, width: int, margin_left: str) -> Iterator[Line]:
    """What is equal between the lanes, and what is not."""
    if not race.sheet:
        return
    yield BLANK
    yield ((f"{margin_left}fairness sheet", QUIET),)
    for label, text in race.sheet:
        first = f"{margin_left}  {label.ljust(LABEL_CELLS)}"
        yield from _wrapped(text, TEXT, width - 1, " " * len(first), first)


class ResultPanel(LinesWidget):
    """As high as the result: the screen scrolls where that is higher than the terminal."""

    DEFAULT_CSS = "ResultPanel { height: auto; }"

    race: var[RaceReport | None] = var(None)

    def __init__(self, race: RaceReport, *, glyphs: str) -> None:
        super().__init__()
        self.ascii_only = glyphs == "ascii"
        self.set_reactive(ResultPanel.race, race)

    def _report(self, width: int) -> list[Line]:
        return [] if self.race is None else report(self.race, width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._report(width))

    def on_resize(self) -> None:
        self._lines = []
        self.show_lines(self._report(self.size.width))
