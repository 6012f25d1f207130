"""Whoever takes the frames may stand still: Ctrl-Z, Ctrl-S, a full pipe. The race then still ends in order."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from engines.ipc.schedule import DRAIN_NS
from engines.metrics.frame import Frame, LaneState
from engines.race.lane_runner import HANG_NS
from engines.race.race import Race
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import forget, with_settings

DURATION_S = 1.0


def test_a_taker_who_stands_still_over_the_end_gets_the_whole_race(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(lanes=("mysql",), duration_s=DURATION_S)
    frames: list[Frame] = []
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        for frame in race.frames():
            frames.append(frame)
            summary.add(frame)
            if len(frames) == 2:
                time.sleep(DURATION_S + (DRAIN_NS + HANG_NS) / 1e9 + 0.5)
        summary.reconcile_with_servers(race.closing_counts)

    last = frames[-1]
    assert last.lanes[0].state is LaneState.DONE
    lanes = [frame.lanes[0] for frame in frames]
    assert all(lane.read.errors == lane.write.errors == {} for lane in lanes)
    # One interval after the other, each with its own work and at its own time.
    assert [lane.read.operations > 0 for lane in lanes[:4]] == [True] * 4
    for before, after in pairwise(frames):
        lasted_s = after.at_monotonic_s - before.at_monotonic_s
        assert after.interval_s == pytest.approx(lasted_s)
        assert after.at_utc_s - before.at_utc_s == pytest.approx(lasted_s, abs=0.01)
    # The race was over when the engines were, and not when somebody looked.
    assert last.elapsed_s < DURATION_S + DRAIN_NS / 1e9
    assert summary.reconciliations["mysql"].reconciled
