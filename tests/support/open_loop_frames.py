"""Made-up frames of an open loop, and of heats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.metrics.histogram import LatencyDistribution
from engines.metrics.stats import CacheStats, ClientStats, RoleStats
from engines.model.heats import heat_order
from tests.support.synthetic_frames import ENTRANTS, frames

FLOORED = tuple(
    replace(lane_info, overhead_us={"write": 187.2, "read": 25.4}) for lane_info in ENTRANTS
)
"""The lanes, with telemon's own share known."""


OCTAVE = 128
"""Buckets of a histogram from a value to twice that value."""


def late(work: RoleStats, doublings: int) -> RoleStats:
    """The same work, each response 2 ** `doublings` times as long as its service."""
    service, times = work.service, 2**doublings
    response = LatencyDistribution(
        buckets=tuple((index + OCTAVE * doublings, n) for index, n in service.buckets),
        count=service.count,
        sum_ns=service.sum_ns * times,
        min_ns=service.min_ns * times,
        max_ns=service.max_ns * times,
    )
    return replace(work, response=response)


def paced(given: Iterable[Frame]) -> Iterator[Frame]:
    """The frames as those of an open loop that lane `mysql` cannot keep up with."""
    for frame in given:
        yield replace(
            frame,
            lanes=tuple(
                replace(
                    lane,
                    write=late(lane.write, 5 if lane.lane == "mysql" else 1),
                    read=late(lane.read, 1),
                    backlog={"write": 12_345, "read": 67} if lane.lane == "mysql" else {"write": 0, "read": 3},
                    late=11,
                    overloaded=lane.lane == "mysql",
                )
                for lane in frame.lanes
            ),
        )  # fmt: skip


HEAT_FRAMES, WARM_FRAMES = 8, 4
"""How long a heat is measured, and the warm-up before it."""


def heats(begun: int | None = None) -> list[Frame]:
    """Two rounds of heats as a race gives them: one lane at a time, the others back at the start line. With `begun`
    they break off in the middle of that heat (from 1)."""
    if begun is None:
        return list(_heats())
    return list(
        _heats()[: (begun - 1) * (WARM_FRAMES + HEAT_FRAMES) + WARM_FRAMES + HEAT_FRAMES // 2]
    )


@cache
def _heats() -> tuple[Frame, ...]:
    made = []
    resting = LaneFrame("", LaneState.STARTING)
    rounds_run = {"mysql": 0, "cached": 0, "durable": 0}
    over: set[str] = set()
    given = frames(1_000, warmup=0)
    for heat in heat_order(tuple(rounds_run), 2):
        rounds_run[heat.lane] = heat.round
        for step in range(WARM_FRAMES + HEAT_FRAMES):
            last = heat.final and step == WARM_FRAMES + HEAT_FRAMES - 1
            frame = next(given)
            lanes = []
            for lane in frame.lanes:
                if lane.lane == heat.lane:
                    state = LaneState.WARMING if step < WARM_FRAMES else LaneState.RACING
                    state = LaneState.DONE if last else state
                    lanes.append(replace(lane, state=state, heat=heat.round))
                else:
                    at_rest = LaneState.DONE if lane.lane in over else LaneState.STARTING
                    lanes.append(
                        replace(
                            resting, lane=lane.lane, state=at_rest, heat=rounds_run[lane.lane],
                            cache=CacheStats(), client=ClientStats(),
                        )
                    )  # fmt: skip
            made.append(
                replace(
                    frame,
                    elapsed_s=max(0, step + 1 - WARM_FRAMES) * frame.interval_s,
                    lanes=tuple(lanes),
                    events=(),
                )
            )
        if heat.final:
            over.add(heat.lane)
    return tuple(made)
