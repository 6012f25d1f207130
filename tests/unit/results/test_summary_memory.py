"""An hour of frames, at speed: what keeps them must not grow with them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import cycle, islice

import pytest

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LANES, LaneInfo
from engines.results.summary import Summary
from tests.support.frames import frame, work
from tui.view.history import ViewBuilder

FRAMES_IN_AN_HOUR = 3600 * 4
"""A frame a quarter of a second, as on screen."""


def hour() -> list[Frame]:
    """Four hundred different frames, to be taken in turn: values spread over the histogram's whole range in use."""
    kept = []
    for number in range(400):
        lanes = [
            LaneFrame(
                lane,
                LaneState.RACING,
                write=work([900.0 + 37 * number, 1500.0 * (place + 1)], interval_s=0.25),
                read=work([40.0 + number, 80.0 * (place + 1), 5.0 * number], interval_s=0.25),
            )
            for place, lane in enumerate(LANES)
        ]
        kept.append(frame(number, number / 4, *lanes, interval_s=0.25))
    return kept


@pytest.mark.soak
def test_an_hour_takes_no_more_memory_than_its_first_minutes() -> None:
    given = hour()
    lane_infos = [LaneInfo(lane, lane, "", "", "", "") for lane in LANES]
    summary, history = Summary(RaceConfig(), lane_infos, RaceEnvironment()), ViewBuilder()
    tracemalloc.start()
    sizes_bytes = []
    for number, kept in enumerate(islice(cycle(given), FRAMES_IN_AN_HOUR)):
        at_s = number / 4
        one = replace(kept, seq=number, elapsed_s=at_s, at_monotonic_s=at_s, at_utc_s=at_s)
        summary.add(one)
        history.add(one)
        if number in (1_600, FRAMES_IN_AN_HOUR - 1):
            sizes_bytes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    early, late = sizes_bytes
    assert late - early < 200_000
    assert summary.duration_s > 3_500
