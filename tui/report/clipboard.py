"""Write the standings and the result as plain text for the clipboard."""

from __future__ import annotations

from engines.model.lanes import LaneInfo
from tui.draw.format import clock, count, latency, margin, ordinal, sanitize
from tui.report.race_report import METRICS, RaceReport, metric_rank, metric_titles, metric_value
from tui.view.view import View


def standings_text(view: View, lane_infos: tuple[LaneInfo, ...]) -> str:
    """Return a heading and a line per lane, in columns that are aligned in any fixed-width font."""
    titles = {lane_info.lane: sanitize(lane_info.title) for lane_info in lane_infos}
    paced = any(lane.paced for lane in view.lanes)
    over = f"over {view.window_s:g} s"
    if view.current_heat is not None:
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
            rank, rank_text = lane.ranks.get(metric), ""
            if rank is not None and rank.position is not None:
                rank_text = f"{ordinal(rank.position)} {margin(rank.factor)}"
            cells.append(f"{figure:>10} {rank_text:<10}")
        lines.append(" ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def result_text(race: RaceReport) -> str:
    """Return a finished race as text: its heading, the table with figures in full, and the lines about reliability."""
    names = metric_titles(race.paced)
    lines = [f"broken off: {race.fault}"] if race.fault is not None else []
    lines += race.deaths
    lines.append(f"telemon: {race.heading}")
    head = (f"{names[metric]:>12} {'':<12}" for metric in METRICS)
    lines.append(f"{'':<16} {' '.join(head)}".rstrip())
    for lane_report in race.lane_reports:
        cells = [f"{sanitize(lane_report.lane_info.title):<16}"]
        for metric in METRICS:
            rank, factor, _ = metric_rank(lane_report, metric)
            cells.append(f"{metric_value(lane_report, metric, 12):>12} {f'{rank} {factor}':<12}")
        lines.append(" ".join(cells).rstrip())
    return "\n".join([*lines, *(note.text for note in race.trust)]) + "\n"
