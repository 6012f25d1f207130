"""The result of a race: ranks, how reliable they are, and the findings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from textual.geometry import Size
from textual.reactive import var

from engines.results.rounds import RoundRange
from tui.draw import lane_style
from tui.draw.format import clip, count, latency, short
from tui.draw.styled import BAD, BLANK, QUIET, STRONG, TEXT, WARN, Line, Span, fit
from tui.draw.styled import width as cells_of
from tui.report.race_report import (
    METRICS,
    LaneReport,
    RaceReport,
    metric_rank,
    metric_titles,
    metric_value,
)
from tui.widgets.base.lines import LinesWidget

TABLE_CELLS = 57
"""From this width in cells on, the ranks are a table; below it each lane has two lines."""

LABEL_CELLS = 9
"""Width in cells of the label before a lane's figures."""


def cell(lane_report: LaneReport, metric: str, available: int) -> list[Span]:
    """Return figure, position and factor of a lane in `available` cells."""
    figure = metric_value(lane_report, metric, _figure_cells(available)).rjust(
        _figure_cells(available)
    )
    rank, factor, style = metric_rank(lane_report, metric)
    short_of = [(figure, STRONG), (f" {rank}", style)]
    if factor and available >= _figure_cells(available) + 12:
        short_of.append((f" {factor:>7}", style))
    return list(fit(short_of, available))


def _figure_cells(available: int) -> int:
    """Return the width of a column's figures, which leaves space for the position."""
    return min(11, available - 6)


def range_text(spread: RoundRange, metric: str, available: int) -> str:
    """Return the range of the rounds: "54,363-55,523", "2.85-3.65 ms"."""
    if metric != "p99":
        text = f"{count(spread.low)}-{count(spread.high)}"
        return text if len(text) < available else f"{short(spread.low)}-{short(spread.high)}"
    low, high = latency(spread.low), latency(spread.high)
    if low[-2:] == high[-2:]:
        low = low.partition(" ")[0]
    return f"{low}-{high}"


def _table(race: RaceReport, width: int) -> Iterator[Line]:
    """Yield the lanes one below the other, with a column for each metric that they are ranked by."""
    name_cells = min(24, max(18, width // 4))
    available = min(26, max(13, (width - name_cells) // 3))
    heading: list[Span] = [(" " * name_cells, QUIET)]
    for title in metric_titles(race.paced).values():
        heading += fit([(title.rjust(_figure_cells(available)), QUIET)], available)
    yield tuple(heading)
    for lane_report in race.lane_reports:
        lane = lane_report.frame.lane
        title = f" {lane_style.shape(lane)} {lane_style.name(lane_report.lane_info)}"
        row: list[Span] = list(fit([(clip(title, name_cells - 1), lane)], name_cells))
        for metric in METRICS:
            row += cell(lane_report, metric, available)
        yield tuple(row)
        if lane_report.spreads:
            row = list(fit([("   min-max", QUIET)], name_cells))
            for metric in METRICS:
                spread = lane_report.spreads.get(metric)
                text = "" if spread is None else range_text(spread, metric, available)
                row += fit([(text.rjust(_figure_cells(available)), QUIET)], available)
            yield tuple(row)


def _stacked(race: RaceReport, width: int) -> Iterator[Line]:
    """Yield two lines for each lane, for a terminal that is too narrow for a table."""
    names = metric_titles(race.paced)
    for lane_report in race.lane_reports:
        lane = lane_report.frame.lane
        parts = {}
        for metric in METRICS:
            rank, _, style = metric_rank(lane_report, metric)
            name = names[metric].removeprefix("read ") if metric == "p99" else f"{metric}s"
            parts[metric] = [
                (f"{name} ", QUIET),
                (metric_value(lane_report, metric, 5), STRONG),
                (f" {rank}" if rank else "", style),
            ]
        title = f"{lane_style.shape(lane)} {lane_style.name(lane_report.lane_info)}"
        p99 = parts["p99"]
        available = max(8, width - cells_of(p99) - 1)
        yield (*fit([(clip(title, available), lane)], available), (" ", TEXT), *p99)
        both_rates = (("  ", TEXT), *parts["write"], ("  ", TEXT), *parts["read"])
        if cells_of(both_rates) <= width:
            yield both_rates
        else:
            yield (("  ", TEXT), *parts["write"])
            yield (("  ", TEXT), *parts["read"])
        if lane_report.spreads:
            texts = [
                f"{metric if metric == 'p99' else f'{metric}s'} {range_text(lane_report.spreads[metric], metric, 12)}"
                for metric in METRICS
                if metric in lane_report.spreads
            ]
            yield from _wrapped(f"min-max {', '.join(texts)}", QUIET, width, "  ")


def _wrapped(
    text: str, style: str, width: int, indent: str, first: str | None = None
) -> Iterator[Line]:
    """Yield `text` in lines of at most `width` cells; nothing is cut."""
    start = indent if first is None else first
    for part in textwrap.wrap(text, max(20, width), initial_indent=start, subsequent_indent=indent):
        yield ((part, style),)


def report(race: RaceReport, width: int) -> list[Line]:
    """Return the whole result, most important part first, in as many rows as it needs."""
    narrow = width < TABLE_CELLS
    margin_left = "" if narrow else " "
    lines: list[Line] = []
    if race.fault is not None:
        lines += _wrapped(f"broken off: {race.fault}", BAD, width - 1, margin_left)
    for death in race.deaths:
        lines += _wrapped(death, BAD, width - 1, margin_left + "  ", margin_left)
    lines += _wrapped(race.heading, STRONG, width, margin_left)
    lines += _stacked(race, width) if narrow else [BLANK, *_table(race, width)]
    lines.append(BLANK)
    for trust in race.trust:
        style = TEXT if trust.good else WARN
        lines += _wrapped(trust.text, style, width - 1, margin_left + "  ", margin_left)
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
    """Return the heading of a lane: mark and title."""
    lane = lane_report.frame.lane
    return (
        (f"{margin_left}{lane_style.shape(lane)} {lane_style.name(lane_report.lane_info)}", lane),
    )


def _latencies(race: RaceReport, width: int, margin_left: str) -> Iterator[Line]:
    """Yield the percentiles of both roles of each lane."""
    if not any(race.figures.values()):
        return
    yield BLANK
    legend = "latencies: service time from when it was sent, response time from when it was due"
    yield from _wrapped(
        legend if race.paced else "latencies", QUIET, width - 1, margin_left, margin_left
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
    """Yield the fairness sheet: what is equal between the lanes, and what is not."""
    if not race.sheet:
        return
    yield BLANK
    yield ((f"{margin_left}fairness sheet", QUIET),)
    for label, text in race.sheet:
        first = f"{margin_left}  {label.ljust(LABEL_CELLS)}"
        yield from _wrapped(text, TEXT, width - 1, " " * len(first), first)


class ResultPanel(LinesWidget):
    """The result in its full height. The screen scrolls if that is higher than the terminal."""

    DEFAULT_CSS = "ResultPanel { height: auto; }"

    race: var[RaceReport | None] = var(None)

    def __init__(self, race: RaceReport, *, glyphs: str) -> None:
        super().__init__()
        self.ascii_only = glyphs == "ascii"
        self.set_reactive(ResultPanel.race, race)

    def _report(self, width: int) -> list[Line]:
        """Return the lines of the result for a width."""
        return [] if self.race is None else report(self.race, width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return the height of the result in rows for a width."""
        return len(self._report(width))

    def on_resize(self) -> None:
        """Draw the result for the new width."""
        self._lines = []
        self.show_lines(self._report(self.size.width))
