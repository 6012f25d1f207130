"""The standings as plain text, for a clipboard."""

from __future__ import annotations

from engines.frame import Entrant
from tui.figures import clock, count, gap, latency, ordinal, plain
from tui.view import View


def standings_text(view: View, entrants: tuple[Entrant, ...]) -> str:
    """A line per lane under a heading, in columns that keep their places in any fixed-width font."""
    titles = {entrant.lane: plain(entrant.title) for entrant in entrants}
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
            ("p99", latency(lane.read.felt_p99_us)),
        ):
            place = lane.places.get(metric)
            stands = ""
            if place is not None and place.rank is not None:
                stands = f"{ordinal(place.rank)} {gap(place.gap)}"
            cells.append(f"{figure:>10} {stands:<10}")
        lines.append(" ".join(cells).rstrip())
    return "\n".join(lines) + "\n"
