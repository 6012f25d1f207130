"""The result of a race as a table and what belongs beside it. Pure."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

from engines.config.race_config import RaceConfig
from engines.metrics.frame import LaneFrame
from engines.metrics.stats import RoleStats
from engines.model.lanes import LaneInfo
from engines.results.fairness import fairness_lines
from engines.results.offered_load import OfferedLoad
from engines.results.rounds import FIGURES, RoundRange
from engines.results.summary import Summary
from engines.text import one_line
from tui.report.interval_lines import CACHELESS, count, ms, response_ms, share
from tui.report.race_report import overhead_share

PERCENTILES = (("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9))

SHEET_WIDTH = 9
"""Of the labels of the fairness sheet."""

LABEL_WIDTH = 22
LANE_WIDTH = 16


def final_table(summary: Summary, width: int | None = None) -> Iterator[str]:
    """The result of a race: what was raced, the lanes side by side, who they are, and what must be said beside it.

    For a terminal of `width` cells sentences are broken between words, and lanes that do not fit side by side follow
    below the others; without it (a file, a pipe) every sentence is one line.
    """
    for part in _parts(summary):
        if isinstance(part, str):
            yield from _broken(part, width)
        else:
            yield from _grid(part, width)


def terminal_width(stream: TextIO | None) -> int | None:
    """How many cells a line has where `stream` is a terminal; None for a file or a pipe."""
    try:
        if stream is None or not stream.isatty():
            return None
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


Row = tuple[str, list[str]]
"""A label, and a cell for each lane."""


def _parts(summary: Summary) -> Iterator[str | list[Row]]:
    """Lines of text, and grids between them."""
    lanes = summary.lanes()
    yield from _settings(
        summary.settings, summary.duration_s, apart=bool(summary.separate_durations_s)
    )
    yield ""
    yield list(_lanes(summary, lanes))
    yield from _heats(summary)
    yield ""
    for lane_info, lane in zip(summary.lane_infos, lanes, strict=True):
        yield from _entrant(lane_info, lane)
    yield ""
    for label, text in fairness_lines(summary.environment, summary.settings):
        yield one_line(f"{label.ljust(SHEET_WIDTH)}{text}")
    yield from _reconciled(summary)
    yield from _changes(summary)
    troubles = list(_troubles(lanes))
    if troubles:
        yield ""
        yield from troubles
    notes = summary.notes()
    if notes:
        yield ""
        for note in notes:
            yield f"note: {one_line(note)}"


def _lanes(summary: Summary, lanes: tuple[LaneFrame, ...]) -> Iterator[Row]:
    yield "", [lane.lane for lane in lanes]
    yield "state", [lane.state.value for lane in lanes]
    paced = any(summary.offered_loads(lane.lane) for lane in lanes)
    yield from _role("writes", lanes, lambda lane: lane.write, paced=paced)
    yield from _role("reads", lanes, lambda lane: lane.read, paced=paced)
    yield from _pace(summary, lanes)
    cached = [lane.lane != CACHELESS for lane in lanes]
    if any(cached):
        for label, value in CACHE_FIGURES.items():
            yield (
                label,
                [value(lane) if has else "-" for lane, has in zip(lanes, cached, strict=True)],
            )
    if any(lane.cache.skipped for lane in lanes):
        yield "  skipped ids", [count(lane.cache.skipped) for lane in lanes]
    yield "telemon itself", ["" for _ in lanes]
    yield "  cpu of one core", [share(lane.client.cpu_share) for lane in lanes]
    yield "  loop lag p99 ms", [ms(lane.client.loop_lag.percentile_us(99)) for lane in lanes]
    yield "  client-bound", ["YES" if lane.client.client_bound else "no" for lane in lanes]


def _grid(rows: list[Row], width: int | None) -> Iterator[str]:
    """Cells under one another, however long they are; lanes that do not fit into `width` below the others."""
    label_width = max(LABEL_WIDTH, *(len(label) + 1 for label, _ in rows))
    cell_width = max(LANE_WIDTH, *(len(cell) + 2 for _, cells in rows for cell in cells))
    lanes = max(len(cells) for _, cells in rows)
    if width is None or label_width + lanes * cell_width <= width:
        beside = lanes
    else:
        beside = max(1, (width - label_width) // cell_width)
    for first in range(0, lanes, beside):
        if first:
            yield ""
        for label, cells in rows:
            shown = cells[first : first + beside]
            yield (label.ljust(label_width) + "".join(c.rjust(cell_width) for c in shown)).rstrip()


def _broken(line: str, width: int | None) -> list[str]:
    """A line of text broken between words where a terminal would break it anywhere."""
    if width is None or len(line) <= width:
        return [line]
    return textwrap.wrap(
        line, max(20, width), subsequent_indent=" " * (len(line) - len(line.lstrip()) + 4)
    )


CACHE_FIGURES: Mapping[str, Callable[[LaneFrame], str]] = {
    "  hits": lambda lane: count(lane.cache.hits),
    "  misses": lambda lane: count(lane.cache.misses),
    "  hit ratio": lambda lane: share(lane.cache.hit_ratio),
    "  fills": lambda lane: count(lane.cache.fills),
    "  duplicate fills": lambda lane: count(lane.cache.duplicate_fills),
}


def _settings(race: RaceConfig, duration_s: float, *, apart: bool) -> Iterator[str]:
    measured = f"measured {duration_s:.1f} s"
    if apart:
        measured += " in all, each lane from its own release,"
    if race.heats:
        measured = f"heats of {duration_s:.1f} s, each"
    yield (
        f"{measured} after {race.warmup_s:g} s of warm-up, preset {race.preset}, seed {race.seed}"
    )
    processes = f", {race.processes} processes per role" if race.processes > 1 else ""
    yield (
        f"per lane {race.writers} writers and {race.readers} readers{processes}, "
        f"batch {race.batch}, TTL {race.ttl_s:g} s"
    )


def _role(
    name: str,
    lanes: tuple[LaneFrame, ...],
    work: Callable[[LaneFrame], RoleStats],
    *,
    paced: bool,
) -> Iterator[Row]:
    works = [work(lane) for lane in lanes]
    yield f"{name}, rows/s", [count(part.rows_per_s) for part in works]
    yield "  rows", [count(part.rows) for part in works]
    yield "  operations", [count(part.operations) for part in works]
    for label, percent in PERCENTILES:
        yield (
            f"  {_service(paced)}{label} ms",
            [ms(part.service.percentile_us(percent), part) for part in works],
        )
    yield f"  {_service(paced)}max ms", [ms(part.service.max_us, part) for part in works]
    yield "  errors", [count(part.failed) for part in works]


def _pace(summary: Summary, lanes: tuple[LaneFrame, ...]) -> Iterator[Row]:
    """What an open loop offered, and what became of it; nothing for a closed one."""
    offered_loads = [summary.offered_loads(lane.lane) for lane in lanes]
    for name, role in (("writes", "write"), ("reads", "read")):
        made = [offer.get(role) for offer in offered_loads]
        if not any(made):
            continue
        yield f"{name}, operations/s", [_offered(each, _achieved) for each in made]
        yield "  offered", [_offered(each, _offer) for each in made]
        yield "  off by", [_offered(each, _off) for each in made]
        works: list[RoleStats] = [getattr(lane, role) for lane in lanes]
        for label, percent in PERCENTILES:
            yield f"  response {label} ms", [response_ms(work, percent) for work in works]
        yield "  response max ms", [response_ms(work, 100.0) for work in works]
        yield "  backlog at the end", [_offered(each, _left) for each in made]
        yield "  backlog at most", [_offered(each, _most) for each in made]
    if any(offered_loads):
        yield "began late", [count(lane.late) for lane in lanes]
        yield "overloaded", ["YES" if lane.overloaded else "no" for lane in lanes]


def _offered(offer: OfferedLoad | None, shown: Callable[[OfferedLoad], str]) -> str:
    return "-" if offer is None else shown(offer)


def _achieved(offer: OfferedLoad) -> str:
    return f"{offer.achieved_per_s:,.1f}"


def _offer(offer: OfferedLoad) -> str:
    return "changed" if offer.offered_per_s is None else f"{offer.offered_per_s:,.1f}"


def _off(offer: OfferedLoad) -> str:
    return "-" if offer.off_percent is None else f"{offer.off_percent:+.2f} %"


def _left(offer: OfferedLoad) -> str:
    return count(offer.backlog)


def _most(offer: OfferedLoad) -> str:
    return count(offer.backlog_max)


def _heats(summary: Summary) -> Iterator[str | list[Row]]:
    """The heats side by side, each lane alone on the machine: all rounds together, and from where to where the
    rounds lie apart, where there are several."""
    order = summary.rounds.order
    if not order:
        return
    lanes = [lane_info.lane for lane_info in summary.lane_infos]
    spreads = {lane: summary.rounds.spread(lane) for lane in lanes}
    paced = any(summary.offered_loads(lane) for lane in lanes)
    rounds = max(number for number, _ in order)
    turns = (
        ", ".join(lane for number, lane in order if number == turn) for turn in range(1, rounds + 1)
    )
    several = rounds > 1
    measured = f"{rounds} rounds merged (min - max of a round)" if several else "1 round"
    yield ""
    yield f"heats, each lane alone: {measured}; in order {'; '.join(turns)}"
    rows: list[Row] = [("", lanes)]
    for name, role in (("writes", "write"), ("reads", "read")):
        for figure in FIGURES:
            found = [spreads[lane][role].get(figure) for lane in lanes]
            if figure.startswith("response_") and not paced:
                continue
            rows.append(
                (
                    _heat_label(name, figure, paced=paced),
                    [_merged(spread, figure) for spread in found],
                )
            )
            if several:
                rows.append(("    min - max", [_apart(spread, figure) for spread in found]))
    yield rows


def _heat_label(name: str, figure: str, *, paced: bool) -> str:
    if figure == "rows_per_s":
        return f"{name}, rows/s"
    words = figure.removesuffix("_us").replace("_", " ")
    return f"  {words} ms" if words.startswith("response") else f"  {_service(paced)}{words} ms"


def _service(paced: bool) -> str:
    """What a percentile is called that stands beside response times; alone it needs no name."""
    return "service " if paced else ""


def _merged(spread: RoundRange | None, figure: str) -> str:
    return "-" if spread is None else _heat_figure(spread.merged, figure)


def _apart(spread: RoundRange | None, figure: str) -> str:
    if spread is None:
        return "-"
    return f"{_heat_figure(spread.low, figure)}-{_heat_figure(spread.high, figure)}"


def _heat_figure(value: float, figure: str) -> str:
    return count(value) if figure == "rows_per_s" else ms(value)


def _reconciled(summary: Summary) -> Iterator[str]:
    """Whether the servers counted the same."""
    found = summary.reconciliations
    agreed = [lane for lane, each in found.items() if each.reconciled]
    if agreed:
        yield f"{'counts'.ljust(SHEET_WIDTH)}reconciled with the servers' own: {', '.join(agreed)}"
    for lane, each in found.items():
        if not each.reconciled:
            yield one_line(f"{'counts'.ljust(SHEET_WIDTH)}{lane}: {each.verdict}")


def _changes(summary: Summary) -> Iterator[str]:
    """What was asked of the race while it ran."""
    for change in summary.changes:
        yield one_line(f"{'changed'.ljust(SHEET_WIDTH)}at {change.elapsed_s:.1f} s: {change.text}")
    if summary.changes_left_out:
        yield f"{'changed'.ljust(SHEET_WIDTH)}{count(summary.changes_left_out)} times more"


def _entrant(lane_info: LaneInfo, lane: LaneFrame) -> Iterator[str]:
    yield one_line(f"{lane_info.lane}: {lane_info.title}, {lane_info.approach}")
    yield one_line(f"  {lane_info.product}, version {lane_info.version}; {lane_info.durability}")
    shares = [
        f"{role} {told}"
        for role, work in (("write", lane.write), ("read", lane.read))
        if (told := overhead_share(lane_info, role, work))
    ]
    if shares:
        yield f"  p50 of a {'; of a '.join(shares)}"


def _troubles(lanes: tuple[LaneFrame, ...]) -> Iterator[str]:
    for lane in lanes:
        for role, work in (("write", lane.write), ("read", lane.read)):
            if work.errors:
                kinds = sorted(work.errors.items(), key=lambda item: (-item[1], item[0]))
                said = ", ".join(f"{kind} {count(number)}" for kind, number in kinds)
                yield one_line(f"{lane.lane}: {role} errors: {said}")
        if lane.reconnects or lane.redirects:
            yield f"{lane.lane}: {count(lane.reconnects)} reconnects, {count(lane.redirects)} redirects"
