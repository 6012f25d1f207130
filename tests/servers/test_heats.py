"""Heats: one lane at a time, in rotated order."""

from __future__ import annotations

import os
import signal

from engines.metrics.frame import Frame, LaneState
from engines.model.controls import Release
from engines.model.lanes import LANES
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS
from tests.support.race_run import engine_pids, forget, run_race, with_settings

RACING = (LaneState.RACING, LaneState.DONE)


def test_each_lane_races_alone_in_every_round_for_the_whole_duration(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(warmup_s=0.6, duration_s=0.8, heats=True, rounds=2)
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        frames = list(race.frames())
    order: list[tuple[int, str]] = []
    measured_s: dict[tuple[int, str], float] = {}
    warm_s: dict[tuple[int, str], float] = {}
    for frame in frames:
        busy = [part for part in frame.lanes if part.read.operations or part.write.operations]
        # In the frame in which one heat ends the next does not yet begin.
        assert len([part for part in busy if part.heat]) <= 1
        # Where the machine stands still a moment, time goes on all the same.
        for part in (part for part in frame.lanes if part.read.interval_s > 0):
            heat = (part.heat, part.lane)
            if part.state is LaneState.WARMING:
                assert heat not in measured_s
                warm_s[heat] = warm_s.get(heat, 0.0) + part.read.interval_s
            if part.state in RACING:
                if heat not in order:
                    order.append(heat)
                measured_s[heat] = measured_s.get(heat, 0.0) + part.read.interval_s
                assert part.read.errors == part.write.errors == {}
    assert order == [
        (1, "mysql"),
        (1, "cached"),
        (1, "durable"),
        (2, "cached"),
        (2, "durable"),
        (2, "mysql"),
    ]
    said = [(event.lane, event.text) for frame in frames for event in frame.events]
    # Back at the start line, and not starting anew; after its last heat a lane is done.
    assert [lane for lane, text in said if text == "its heat of round 1 is over"] == list(LANES)
    assert [(lane, text) for lane, text in said if text.endswith("on its own")] == [
        (lane, f"heat {number} of 6: on its own") for number, (_, lane) in enumerate(order, 1)
    ]
    for heat, seconds in measured_s.items():
        assert 0.75 < seconds < 1.2, heat
        # Every heat has a warm-up of its own, which is not measured; the end of it may be in the first racing frame.
        assert 0.3 < warm_s[heat] < 0.65, heat
    assert [part.lane for part in frames[-1].lanes] == list(LANES)
    assert all(part.state is LaneState.DONE for part in frames[-1].lanes)


def test_no_lane_does_anything_before_its_first_heat(sandbox: Sandbox) -> None:
    """Not even warm up with the others: its servers would have been asked, and its cache be cold no more."""
    forget(sandbox)
    settings = with_settings(
        lanes=("mysql", "cached"), writers=0, warmup_s=1.5, duration_s=0.5, heats=True, rounds=1
    )
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        frames = list(race.frames())
    cached = [frame.lanes[1] for frame in frames]
    before = [part for part in cached if not part.heat]
    assert len(before) > 4
    assert all(not any(part.server.values()) for part in before), before[-1].server
    # All that it ever did is in the frames of its heat and in the warm-up.
    shown = [part.cache.misses for part in cached if part.heat and part.state in RACING]
    misses = sum(shown) + race.closing_counts.warm["cached"]["read"].cache.misses
    assert misses == cached[-1].server["keyspace_misses"] >= len(HOT_KEYS)


def test_heats_can_be_stopped(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(warmup_s=0.1, duration_s=5.0, heats=True, rounds=3)
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        for frame in race.frames():
            if frame.elapsed_s > 0.4:
                race.stop()
            assert frame.elapsed_s < 4.0
        assert all(part.state is LaneState.DONE for part in frame.lanes)


def test_held_heats_begin_at_the_release(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(warmup_s=0.1, duration_s=0.3, heats=True, rounds=1)
    waited, heats = [], []
    with Race(settings, interval_s=0.25, sandbox=sandbox, hold=True) as race:
        for frame in race.frames():
            released = any(event.text == "all lanes released" for event in frame.events)
            if frame.seq == 4:
                race.send(Release())
            if frame.seq in (2, 3, 4) and not released:
                waited.append(frame)
            heats += [event.lane for event in frame.events if event.text.endswith("on its own")]
    assert len(waited) >= 2
    for frame in waited:
        assert frame.elapsed_s == 0.0
        for part in frame.lanes:
            assert (part.state, part.heat) == (LaneState.STARTING, 0)
            assert part.read.operations == part.write.operations == 0
    # All of them, in their order: what was released is the first heat, not the lanes.
    assert heats == list(LANES)


def test_an_engine_that_hangs_in_a_heat_is_given_up_and_the_heats_go_on(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(
        lanes=("mysql", "durable"), warmup_s=0.0, duration_s=0.5, heats=True, rounds=2
    )
    heats: set[tuple[int, str]] = set()
    stopped = False
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        for frame in race.frames():
            for part in frame.lanes:
                if part.state in RACING and part.read.operations:
                    heats.add((part.heat, part.lane))
            if frame.elapsed_s > 0.2 and not stopped:
                stopped = True
                os.kill(engine_pids(race)["mysql/write"], signal.SIGSTOP)
            assert frame.seq < 80, "the heats do not go on"
        assert frame.lanes[0].state is LaneState.DOWN
        assert frame.lanes[1].state is LaneState.DONE
    assert {(1, "durable"), (2, "durable")} <= heats


def test_what_a_heat_left_unfinished_counts_once_and_keeps_nobody_from_the_next(
    breakable: Sandbox,
) -> None:
    """The server stands still from before the end of the first heat until the second has begun."""
    forget(breakable)
    settings = with_settings(
        lanes=("mysql",), writers=2, readers=3, warmup_s=0.0, duration_s=2.0, heats=True, rounds=2
    )
    standing = going = False

    def suspend(_: Race, frame: Frame) -> None:
        nonlocal standing, going
        (lane,) = frame.lanes
        if frame.elapsed_s > 1.2 and not standing:
            breakable.kill("mysql", signal.SIGSTOP)
            standing = True
        if standing and lane.heat == 2 and not going:
            breakable.kill("mysql", signal.SIGCONT)
            going = True

    try:
        ran = run_race(breakable, settings, on_frame=suspend)
    finally:
        breakable.kill("mysql", signal.SIGCONT)
    total = ran.lanes["mysql"]
    assert (total.write.errors["unfinished"], total.read.errors["unfinished"]) == (2, 3)
    assert total.reconnects >= 5
    # All of them race again, and more than one at a time: none waits for a reply of the first heat.
    last = [frame.lanes[0] for frame in ran.frames if frame.lanes[0].heat == 2][-4:-1]
    for part in last:
        assert part.write.operations > 0
        assert part.read.operations > 0
        assert part.write.errors == part.read.errors == {}
    assert ran.states("mysql")[-1] is LaneState.DONE
