"""Table of a result, with the sentences that belong beside it. Without I/O."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator
from typing import TextIO

from engines.config.race_config import RaceConfig
from engines.metrics.figures import Figure, Shown, Unit, figures_of
from engines.metrics.frame import LaneFrame
from engines.model.lanes import LANES, LaneInfo
from engines.model.roles import Role
from engines.results.death_text import death_step, describe_death
from engines.results.fairness import fairness_lines
from engines.results.offered_load import OfferedLoad
from engines.results.rounds import RoundRange
from engines.results.summary import Summary
from engines.text import one_line
from tui.draw.format import count, figure_text, ms, share
from tui.report.grid import Row, grid_lines
from tui.report.race_report import overhead_share

SHEET_WIDTH = 9
"""Width of the labels of the fairness sheet in cells."""

RATE = "rows_per_s"
"""Figure that heads the rows of a role."""

APART = ("response", "cache")
"""Groups of figures with rows of their own, below those of both roles."""

ROLE_NAMES: tuple[tuple[str, Role], ...] = (("writes", "write"), ("reads", "read"))


def final_table(summary: Summary, width: int | None = None) -> Iterator[str]:
    """Yield the lines of a result: the settings, the lanes side by side, their servers, and the caveats.

    For a terminal of `width` cells sentences are broken between words, and lanes that do not fit side by side follow
    below the others. Without a width (a file, a pipe) every sentence is one line.
    """
    for part in _parts(summary):
        if isinstance(part, str):
            yield from _broken(part, width)
        else:
            yield from grid_lines(part, width)


def terminal_width(stream: TextIO | None) -> int | None:
    """Return the cells of a line where `stream` is a terminal; None for a file or a pipe."""
    try:
        if stream is None or not stream.isatty():
            return None
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _parts(summary: Summary) -> Iterator[str | list[Row]]:
    """Yield lines of text, and grids between them."""
    lanes = summary.lanes()
    yield from _settings(
        summary.settings, summary.duration_s, apart=bool(summary.separate_durations_s)
    )
    yield ""
    yield list(_lanes(summary, lanes))
    yield from _heats(summary)
    yield ""
    for lane_info, lane in zip(summary.lane_infos, lanes, strict=True):
        yield from _lane_info(lane_info, lane)
    yield ""
    for label, text in fairness_lines(summary.environment, summary.settings):
        yield one_line(f"{label.ljust(SHEET_WIDTH)}{text}")
    yield from _reconciled(summary)
    yield from _stored(summary)
    yield from _changes(summary)
    if summary.deaths:
        yield ""
        for found in summary.deaths:
            yield f"died: {describe_death(found.death)}"
            yield f"next: {death_step(found.death)}"
    errors = list(_errors(lanes))
    if errors:
        yield ""
        yield from errors
    notes = summary.notes()
    if notes:
        yield ""
        for note in notes:
            yield f"note: {one_line(note)}"


def _lanes(summary: Summary, lanes: tuple[LaneFrame, ...]) -> Iterator[Row]:
    yield "", [lane.lane for lane in lanes]
    yield "state", [lane.state.value for lane in lanes]
    paced = any(summary.offered_loads(lane.lane) for lane in lanes)
    for name, role in ROLE_NAMES:
        yield from _role(name, role, lanes, paced=paced)
    yield from _pace(summary, lanes)
    yield from _cache(lanes)
    yield "telemon itself", ["" for _ in lanes]
    yield "  cpu of one core", [share(lane.client.cpu_share) for lane in lanes]
    yield "  loop lag p99 ms", [ms(lane.client.loop_lag_p99_us) for lane in lanes]
    yield "  client-bound", ["YES" if lane.client.client_bound else "no" for lane in lanes]


def _broken(line: str, width: int | None) -> list[str]:
    """Return a line broken between words, for a terminal that would break it anywhere."""
    if width is None or len(line) <= width:
        return [line]
    return textwrap.wrap(
        line, max(20, width), subsequent_indent=" " * (len(line) - len(line.lstrip()) + 4)
    )


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


def _role(name: str, role: Role, lanes: tuple[LaneFrame, ...], *, paced: bool) -> Iterator[Row]:
    """Yield a row for each figure of a role: the rate as heading, the errors last."""
    figures = [each for each in figures_of(role, Shown.TABLE) if each.group not in APART]
    figures.sort(key=lambda each: (each.name != RATE, each.name == "errors"))
    for figure in figures:
        yield _row(_label(name, figure, paced=paced), figure, role, lanes)


def _row(label: str, figure: Figure, role: Role, lanes: tuple[LaneFrame, ...]) -> Row:
    return label, [figure_text(figure.value(lane.stats(role)), figure.unit) for lane in lanes]


def _label(name: str, figure: Figure, *, paced: bool) -> str:
    """Return the label of a figure's row; `name` is that of the role.

    Beside response times, which are labelled as such, service times need a name too.
    """
    if figure.name == RATE:
        return f"{name}, {figure.label}"
    service = "service " if paced and figure.group == "service" else ""
    return f"  {service}{figure.label}{' ms' if figure.unit is Unit.US else ''}"


def _cache(lanes: tuple[LaneFrame, ...]) -> Iterator[Row]:
    """Yield a row for each figure of the caches; nothing where no lane has a cache."""
    cached = [LANES[lane.lane].reads_redis for lane in lanes]
    for figure in figures_of("read", Shown.TABLE):
        if figure.group != "cache":
            continue
        label, cells = _row(_label("", figure, paced=False), figure, "read", lanes)
        if figure.name == "skipped":
            # Lanes without a cache skip ids too.
            if any(lane.cache.skipped for lane in lanes):
                yield label, cells
        elif any(cached):
            yield label, [cell if has else "-" for cell, has in zip(cells, cached, strict=True)]


def _pace(summary: Summary, lanes: tuple[LaneFrame, ...]) -> Iterator[Row]:
    """Yield the offered load of an open loop and what was achieved; nothing for a closed loop."""
    offered_loads = [summary.offered_loads(lane.lane) for lane in lanes]
    for name, role in ROLE_NAMES:
        loads = [each.get(role) for each in offered_loads]
        if not any(loads):
            continue
        yield f"{name}, operations/s", [_load_cell(each, _achieved_rate) for each in loads]
        yield "  offered", [_load_cell(each, _offered_rate) for each in loads]
        yield "  off by", [_load_cell(each, _deviation) for each in loads]
        for figure in figures_of(role, Shown.TABLE):
            if figure.group == "response":
                yield _row(_label(name, figure, paced=True), figure, role, lanes)
        yield "  backlog at the end", [_load_cell(each, _backlog_end) for each in loads]
        yield "  backlog at most", [_load_cell(each, _backlog_max) for each in loads]
    if any(offered_loads):
        yield "began late", [count(lane.late) for lane in lanes]
        yield "overloaded", ["YES" if lane.overloaded else "no" for lane in lanes]


def _load_cell(load: OfferedLoad | None, shown: Callable[[OfferedLoad], str]) -> str:
    return "-" if load is None else shown(load)


def _achieved_rate(load: OfferedLoad) -> str:
    return f"{load.achieved_per_s:,.1f}"


def _offered_rate(load: OfferedLoad) -> str:
    return "changed" if load.offered_per_s is None else f"{load.offered_per_s:,.1f}"


def _deviation(load: OfferedLoad) -> str:
    return "-" if load.off_percent is None else f"{load.off_percent:+.2f} %"


def _backlog_end(load: OfferedLoad) -> str:
    return count(load.backlog)


def _backlog_max(load: OfferedLoad) -> str:
    return count(load.backlog_max)


def _heats(summary: Summary) -> Iterator[str | list[Row]]:
    """Yield the heats side by side, each lane alone on the machine.

    All rounds are merged; where there are several, their range stands below.
    """
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
    for name, role in ROLE_NAMES:
        for figure in figures_of(role, Shown.HEATS):
            if figure.group == "response" and not paced:
                continue
            found = [spreads[lane][role].get(figure.name) for lane in lanes]
            rows.append((_label(name, figure, paced=paced), [_merged(each) for each in found]))
            if several:
                rows.append(("    min - max", [_min_max(each) for each in found]))
    yield rows


def _merged(spread: RoundRange | None) -> str:
    return "-" if spread is None else figure_text(spread.merged, spread.unit)


def _min_max(spread: RoundRange | None) -> str:
    if spread is None:
        return "-"
    return f"{figure_text(spread.low, spread.unit)}-{figure_text(spread.high, spread.unit)}"


def _reconciled(summary: Summary) -> Iterator[str]:
    """Yield whether the servers counted the same."""
    found = summary.reconciliations
    agreed = [lane for lane, each in found.items() if each.complete]
    if agreed:
        yield f"{'counts'.ljust(SHEET_WIDTH)}reconciled with the servers' own: {', '.join(agreed)}"
    for lane, each in found.items():
        if not each.complete:
            yield one_line(f"{'counts'.ljust(SHEET_WIDTH)}{lane}: {each.verdict}")


def _stored(summary: Summary) -> Iterator[str]:
    """Yield whether acknowledged rows were read back as they were written."""
    found = summary.read_backs
    kept = [
        f"{lane} {count(each.checked)}"
        for lane, each in found.items()
        if each.checked > each.lost == 0
    ]
    if kept:
        yield f"{'stored'.ljust(SHEET_WIDTH)}rows read back as acknowledged: {', '.join(kept)}"
    for lane, each in found.items():
        if each.lost:
            yield (
                f"{'stored'.ljust(SHEET_WIDTH)}{lane}: {count(each.lost)} of {count(each.checked)} rows "
                "read back are not as acknowledged"
            )


def _changes(summary: Summary) -> Iterator[str]:
    """Yield what was asked of the race while it ran."""
    for change in summary.changes:
        yield one_line(f"{'changed'.ljust(SHEET_WIDTH)}at {change.elapsed_s:.1f} s: {change.text}")
    if summary.changes_left_out:
        yield f"{'changed'.ljust(SHEET_WIDTH)}{count(summary.changes_left_out)} times more"


def _lane_info(lane_info: LaneInfo, lane: LaneFrame) -> Iterator[str]:
    yield one_line(f"{lane_info.lane}: {lane_info.title}, {lane_info.approach}")
    yield one_line(f"  {lane_info.product}, version {lane_info.version}; {lane_info.durability}")
    shares = [
        f"{role} {told}"
        for role, work in lane.roles
        if (told := overhead_share(lane_info, role, work))
    ]
    if shares:
        yield f"  p50 of a {'; of a '.join(shares)}"


def _errors(lanes: tuple[LaneFrame, ...]) -> Iterator[str]:
    for lane in lanes:
        for role, work in lane.roles:
            if work.errors:
                kinds = sorted(work.errors.items(), key=lambda item: (-item[1], item[0]))
                said = ", ".join(f"{kind} {count(number)}" for kind, number in kinds)
                yield one_line(f"{lane.lane}: {role} errors: {said}")
        if lane.reconnects or lane.redirects:
            yield f"{lane.lane}: {count(lane.reconnects)} reconnects, {count(lane.redirects)} redirects"
