"""Lines of text for a race: one per lane and interval. Without I/O."""

from __future__ import annotations

from collections.abc import Iterator

from engines.metrics.figures import BRIEF_PERCENTILES, percentile_key, percentile_us
from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.metrics.stats import RoleStats
from engines.model.lanes import LANES
from tui.draw.format import count, ms

Columns = tuple[tuple[str, int], ...]
"""Title and width of each column; a negative width is a column of words, aligned to the left."""

SERVICE: Columns = tuple((f"{percentile_key(each)}_ms", 9) for each in BRIEF_PERCENTILES)
"""Service times in ms: reply minus send."""

NAMED_SERVICE: Columns = tuple((f"serv_{percentile_key(each)}", 9) for each in BRIEF_PERCENTILES)
"""Service times in ms where response times stand beside them."""

RESPONSE_PERCENTILE = BRIEF_PERCENTILES[-1]

RESPONSE: Columns = ((f"resp_{percentile_key(RESPONSE_PERCENTILE)}", 10), ("backlog", 8))
"""Response time of an open loop in ms (reply minus due time), and operations that are due and have not begun."""


def columns(paced: bool) -> Columns:
    """Return the columns of `frame_lines`; with `paced` those of an open loop."""
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


IDLE = (LaneState.STARTING, LaneState.DONE)


def header(*, paced: bool = False) -> str:
    """Return the titles of the columns of `frame_lines`."""
    return _row([title for title, _ in columns(paced)], columns(paced))


def frame_lines(frame: Frame, *, paced: bool = False, heats: bool = False) -> Iterator[str]:
    """Yield a line for each lane of a frame; in heats only for lanes that are not idle."""
    for lane in frame.lanes:
        timed = lane.write.interval_s > 0 or lane.read.interval_s > 0
        if heats and not timed and lane.state in IDLE:
            continue
        cacheless = not LANES[lane.lane].reads_redis
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
    return [ms(percentile_us(work.service, percent)) for percent in BRIEF_PERCENTILES]


def _response(lane: LaneFrame, role: str, work: RoleStats) -> list[str]:
    return [ms(percentile_us(work.response, RESPONSE_PERCENTILE)), count(lane.backlog.get(role, 0))]
