"""A race as lines of text: one per lane and interval. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor

from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.metrics.stats import RoleStats

Columns = tuple[tuple[str, int], ...]
"""Title and width of each column; a negative width is a column of words, aligned to the left."""

SERVICE: Columns = (("p50_ms", 9), ("p99_ms", 9))

NAMED_SERVICE: Columns = (("serv_p50", 9), ("serv_p99", 9))
"""The same, told apart from response times; all are in ms."""

RESPONSE: Columns = (("resp_p99", 10), ("backlog", 8))
"""Beside the service times (reply minus send) of an open loop: the p99 of reply minus due time, and what is due and
not begun."""


def columns(paced: bool) -> Columns:
    """The columns of `frame_lines`, of an open loop where it is `paced`."""
    role = (*NAMED_SERVICE, *RESPONSE) if paced else SERVICE
    return (
        ("time_s", 7),
        ("lane", -8),
        ("state", -12),
        ("write_rows/s", 12),
        *role,
        ("read_rows/s", 12),
        *role,
        ("hits", 9),
        ("misses", 8),
        ("errors", 7),
    )


RESTING = (LaneState.STARTING, LaneState.DONE)

CACHELESS = "mysql"
"""The lane that has neither hits nor misses."""


def header(*, paced: bool = False) -> str:
    """The titles of the columns of `frame_lines`."""
    return _row([title for title, _ in columns(paced)], columns(paced))


def frame_lines(frame: Frame, *, paced: bool = False, heats: bool = False) -> Iterator[str]:
    """A line for each lane of a frame, in heats for those that are not at rest."""
    for lane in frame.lanes:
        timed = lane.write.interval_s > 0 or lane.read.interval_s > 0
        if heats and not timed and lane.state in RESTING:
            continue
        cacheless = lane.lane == CACHELESS
        line = _row(
            [
                f"{frame.elapsed_s:.1f}",
                lane.lane,
                lane.state.value,
                count(lane.write.rows_per_s),
                *_percentiles(lane.write),
                *(_response(lane, "write", lane.write) if paced else ()),
                count(lane.read.rows_per_s),
                *_percentiles(lane.read),
                *(_response(lane, "read", lane.read) if paced else ()),
                "-" if cacheless else count(lane.cache.hits),
                "-" if cacheless else count(lane.cache.misses),
                count(lane.write.failed + lane.read.failed),
            ],
            columns(paced),
        )
        said = [
            word
            for word, holds in (
                (f"round {lane.heat}", lane.heat and timed),
                ("overloaded", lane.overloaded),
                (f"client-bound: {lane.client.bound_by}", lane.client.client_bound),
            )
            if holds
        ]
        yield f"{line}  {', '.join(said)}" if said else line


def _row(cells: list[str], under: Columns) -> str:
    return " ".join(
        cell.ljust(-width) if width < 0 else cell.rjust(width)
        for cell, (_, width) in zip(cells, under, strict=True)
    )


def _percentiles(work: RoleStats) -> list[str]:
    return [ms(work.service.percentile_us(percent), work) for percent in (50, 99)]


def _response(lane: LaneFrame, role: str, work: RoleStats) -> list[str]:
    return [response_ms(work, 99.0), count(lane.backlog.get(role, 0))]


def response_ms(work: RoleStats, percent: float) -> str:
    if work.response is None or not work.response.count:
        return "-"
    return ms(work.response.percentile_us(percent))


def count(number: float) -> str:
    return f"{number:,.0f}"


def ms(us: float, work: RoleStats | None = None) -> str:
    """A latency in ms to the us; "-" where there was no operation to take it of."""
    return "-" if work is not None and not work.service.count else f"{us / 1000:.3f}"


def share(part: float | None) -> str:
    """A part of one in percent, rounded down: only all of it is 100.0 %."""
    return "-" if part is None else f"{floor(part * 1000 + 1e-9) / 10:.1f} %"
