"""The standings of a finished race as text cells: column titles, figures, ranks and factors."""

from __future__ import annotations

from tui.draw.format import count, latency, margin, ordinal, short
from tui.draw.styled import TEXT, WARN
from tui.report.race_report import LaneReport


def titles(paced: bool) -> dict[str, str]:
    """Return the column titles by metric.

    A closed loop shows rows per second and the p99 of the read service time.
    An open loop shows achieved operations per second and the p99 of the read response time.
    """
    if paced:
        return {"write": "write op/s", "read": "read op/s", "p99": "resp. p99"}
    return {"write": "writes/s", "read": "reads/s", "p99": "read p99"}


def value(lane_report: LaneReport, metric: str, room: int) -> str:
    """Return a lane's figure over the whole race as text, shortened if it has more than `room` characters."""
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
    """Return rank, factor and style name, for example ("1st", "+2.7x", "durable").

    Offered rates of an open loop are not ranked: they are "held", "over" or "short".
    """
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
