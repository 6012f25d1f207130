"""Races made of fixed frames, whose results are compared with golden files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.metrics.histogram import EMPTY
from engines.metrics.scheduling_delay import SchedulingDelay
from engines.metrics.stats import CacheStats, RoleStats
from engines.model.environment import RaceEnvironment
from engines.results.summary import Summary
from tests.support.frames import latencies
from tests.support.open_loop_frames import FLOORED, heats, paced
from tests.support.synthetic_frames import frames


def with_troubles(given: Iterable[Frame]) -> Iterator[Frame]:
    """Yield the frames with errors, scheduling delays, missing keys and one interval without any operation."""
    for number, frame in enumerate(given):
        lanes = list(frame.lanes)
        first, second = lanes[0], lanes[1]
        if first.state is LaneState.RACING and number % 5 == 0:
            lanes[0] = replace(
                first,
                read=replace(
                    first.read,
                    errors={"mysql_2013": 2, "timeout": number},
                    failures=latencies([1_500.0 + number, 80_000.5]),
                    scheduling_delay=SchedulingDelay(12_345 * number, 7),
                ),
                redirects=1,
                reconnects=2,
            )
        if number == 20:
            idle = RoleStats(interval_s=second.read.interval_s)
            lanes[1] = LaneFrame(second.lane, second.state, write=idle, read=idle)
        elif second.state is LaneState.RACING:
            lanes[1] = replace(second, cache=replace(second.cache, skipped=number))
        yield replace(frame, lanes=tuple(lanes))


def without_responses(given: Iterable[Frame]) -> Iterator[Frame]:
    """Yield the frames of an open loop in which lane `durable` has not answered anything that was due."""
    for frame in given:
        lanes = list(frame.lanes)
        lanes[2] = replace(
            lanes[2],
            read=RoleStats(response=EMPTY, interval_s=lanes[2].read.interval_s),
            cache=CacheStats(),
        )
        yield replace(frame, lanes=tuple(lanes))


def races() -> dict[str, tuple[RaceConfig, list[Frame]]]:
    """Return by name the settings and the frames of each race."""
    closed, open_loop = RaceConfig(), RaceConfig(mode="pace", rate_per_s=1_000.0)
    return {
        "closed_loop": (closed, list(with_troubles(frames()))),
        "open_loop": (open_loop, list(without_responses(paced(frames())))),
        "heats": (replace(closed, heats=True, rounds=2), heats()),
        "open_loop_heats": (replace(open_loop, heats=True, rounds=2), list(paced(heats()))),
    }


def summary_of(settings: RaceConfig, given: Iterable[Frame]) -> Summary:
    """Return the summary of a race with those settings and frames."""
    summary = Summary(settings, FLOORED, RaceEnvironment())
    for frame in given:
        summary.add(frame)
    return summary
