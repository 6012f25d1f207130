"""The standings and the result as plain text, for a clipboard."""

from __future__ import annotations

from engines.model.lanes import LaneInfo
from tui.draw.format import clock, count, latency, margin, ordinal, sanitize
from tui.report.race_report import METRICS, RaceReport
from tui.view.view import View
from tui.widgets.result.result_panel import standing, titles, value


def standings_text(view: View, lane_infos: tuple[LaneInfo, ...]) -> str:
    """A line per lane under a heading, in columns that keep their places in any fixed-width font."""
    titles = {lane_info.lane: sanitize(lane_info.title) for lane_info in lane_infos}
    paced = any(lane.paced for lane in view.lanes)
    over = f"over {view.window_s:g} s"
    if view.turn is not None:
        over = "each lane's last heat"
    p99 = "resp. p99" if paced else "read p99"
    lines = [
        f"telemon after {clock(view.elapsed_s)}, {over}",
        f"{'':<16} {'writes/s':>10} {'':>10} {'reads/s':>10} {'':>10} {p99:>10}",
    ]
    for lane in view.lanes:
        cells = [f"{titles.get(lane.lane, lane.lane):<16}"]
        for metric, figure in (
            ("write", count(lane.write.window_rows_per_s)),
            ("read", count(lane.read.window_rows_per_s)),
            ("p99", latency(lane.read.ranking_p99_us)),
        ):
            place, stands = lane.places.get(metric), ""
            if place is not None and place.rank is not None:
                stands = f"{ordinal(place.rank)} {margin(place.gap)}"
            cells.append(f"{figure:>10} {stands:<10}")
        lines.append(" ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def result_text(race: RaceReport) -> str:
    """A race that is over: what its screen heads the table with, and the table, its figures in full."""
    names = titles(race.paced)
    lines = [f"broken off: {race.fault}"] if race.fault is not None else []
    lines.append(f"telemon: {race.heading}")
    head = (f"{names[metric]:>12} {'':<12}" for metric in METRICS)
    lines.append(f"{'':<16} {' '.join(head)}".rstrip())
    for lane_report in race.lane_reports:
        cells = [f"{sanitize(lane_report.lane_info.title):<16}"]
        for metric in METRICS:
            rank, apart, _ = standing(lane_report, metric)
            cells.append(f"{value(lane_report, metric, 12):>12} {f'{rank} {apart}':<12}")
        lines.append(" ".join(cells).rstrip())
    return "\n".join([*lines, *race.trust]) + "\n"
