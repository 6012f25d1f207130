"""What can be asked of a running race reaches the engines, and shows."""

from __future__ import annotations

from collections.abc import Callable

from engines.backends.redis.client import address_of, client
from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.model.controls import Batch, Connections, Control, Pause, Release, Resume, Ttl
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import forget, keys, run_race, table, with_settings
from tests.support.stored_versions import version_of


def asking(*controls: tuple[float, Control]) -> Callable[[Race, Frame], None]:
    """Sends each control at the first frame that ends at or after its time."""
    left = list(controls)

    def on_frame(race: Race, frame: Frame) -> None:
        while left and frame.elapsed_s >= left[0][0]:
            race.send(left.pop(0)[1])

    return on_frame


def between(frames: list[Frame], low_s: float, high_s: float, lane: int = 0) -> list[LaneFrame]:
    return [frame.lanes[lane] for frame in frames if low_s < frame.elapsed_s <= high_s]


def test_a_pause_stops_the_load_within_half_a_second_and_resume_starts_it_again(
    sandbox: Sandbox,
) -> None:
    forget(sandbox)
    ran = run_race(
        sandbox,
        with_settings(duration_s=3.0),
        on_frame=asking((0.75, Pause()), (1.75, Resume())),
    )
    for lane in range(3):
        still = between(ran.frames, 1.3, 1.8, lane)
        assert still
        assert all(part.write.operations == part.read.operations == 0 for part in still)
        assert all(part.state is LaneState.PAUSED for part in still)
        again = between(ran.frames, 2.3, 2.9, lane)
        assert all(part.state is LaneState.RACING for part in again)
        assert sum(part.read.operations for part in again) > 0
    for total in ran.lanes.values():
        assert total.write.errors == total.read.errors == {}
    events = [event.text for frame in ran.frames for event in frame.events if event.lane is None]
    assert events == ["load paused", "load resumed"]


def test_batch_and_ttl_change_for_what_comes_next(sandbox: Sandbox) -> None:
    forget(sandbox)
    ran = run_race(
        sandbox,
        with_settings(duration_s=2.5, ttl_s=1.0),
        on_frame=asking((0.5, Batch(7)), (0.5, Ttl(50.0))),
    )
    for lane in range(3):
        early = between(ran.frames, 0.0, 0.5, lane)
        late = between(ran.frames, 1.2, 2.4, lane)
        assert all(part.write.rows == 20 * part.write.operations for part in early)
        assert all(part.write.rows == 7 * part.write.operations for part in late)
    endpoint = sandbox.endpoints["cached"].redis
    assert endpoint is not None
    with client(address_of(endpoint), endpoint) as node:
        ttls_ms = [node.pttl(name) for name in node.scan_iter(count=5000)]
    assert ttls_ms
    assert all(isinstance(ttl_ms, int) and ttl_ms > 40_000 for ttl_ms in ttls_ms)


def test_connections_change_and_no_write_is_lost_or_out_of_order(sandbox: Sandbox) -> None:
    forget(sandbox)
    ran = run_race(
        sandbox,
        with_settings(duration_s=3.0, processes=2, writers=2, readers=2),
        on_frame=asking(
            (0.5, Connections("write", 9)),
            (0.5, Connections("read", 12)),
            (1.25, Connections("write", 3)),
            (1.75, Connections("read", 1)),
            (2.0, Connections("read", 4)),
        ),
    )
    for name, total in ran.lanes.items():
        assert total.write.errors == total.read.errors == {}, name
        assert sum(part.read.operations for part in between(ran.frames, 2.3, 2.9)) > 0
    for name in ("mysql", "cached"):
        for car_id, row in table(sandbox.endpoints[name].mysql).items():
            assert row[4] == ran.lanes[name].versions.get(car_id, 1)
    for car_id, value in keys(sandbox.endpoints["durable"].redis).items():
        assert version_of(value) == ran.lanes["durable"].versions.get(car_id, 1)


def test_a_release_while_lanes_warm_up_waits_until_they_are_warm(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(lanes=("durable",), warmup_s=1.0, duration_s=0.5)

    def release(race: Race, frame: Frame) -> None:
        if frame.seq == 0:
            race.send(Release())

    ran = run_race(sandbox, settings, on_frame=release, hold=True)
    ends = ran.frames[0].at_monotonic_s
    measured = [frame for frame in ran.frames if frame.elapsed_s > 0]
    # The first frame ended a quarter of a second into the warm-up.
    assert measured[0].at_monotonic_s - measured[0].elapsed_s > ends + 0.7
    assert sum(frame.lanes[0].read.operations for frame in measured) > 0
    # The whole duration; on a busy machine the end comes a little late.
    assert 0.4 < sum(frame.lanes[0].read.interval_s for frame in measured) < 1.5
    assert ran.states("durable")[-1] is LaneState.DONE


def test_held_lanes_are_warm_and_go_one_by_one_each_for_the_whole_duration(
    sandbox: Sandbox,
) -> None:
    forget(sandbox)
    settings = with_settings(warmup_s=0.5, duration_s=1.0)
    held: list[Frame] = []
    sent: list[str] = []

    def release(race: Race, frame: Frame) -> None:
        held.append(frame)
        if len(held) == 5:
            sent.append("mysql")
            race.send(Release("mysql"))
        if frame.elapsed_s > 0.5 and len(sent) == 1:
            sent.append("all")
            race.send(Release())

    ran = run_race(sandbox, settings, on_frame=release, hold=True)
    states = {lane: ran.states(lane) for lane in ran.lanes}
    assert states["mysql"][0] is LaneState.WARMING
    assert LaneState.STARTING in states["mysql"]
    assert ran.frames[3].elapsed_s == 0.0
    first = next(frame for frame in ran.frames if frame.elapsed_s > 0.3)
    assert [part.state for part in first.lanes] == [
        LaneState.RACING,
        LaneState.STARTING,
        LaneState.STARTING,
    ]
    assert first.lanes[1].read.operations == 0
    for lane in ran.lanes:
        racing = [
            part
            for frame in ran.frames
            for part in frame.lanes
            if part.lane == lane and part.state in (LaneState.RACING, LaneState.DONE)
        ]
        assert abs(sum(part.read.interval_s for part in racing) - 1.0) < 0.2
        assert sum(part.read.operations for part in racing) > 0
    assert ran.states("mysql").index(LaneState.DONE) < ran.states("cached").index(LaneState.DONE)


def test_connections_that_no_process_could_hold_are_neither_made_nor_announced(
    sandbox: Sandbox,
) -> None:
    forget(sandbox)
    ran = run_race(
        sandbox,
        with_settings(lanes=("mysql",), duration_s=1.2, processes=3, writers=0, readers=6),
        on_frame=asking((0.2, Connections("write", 4)), (0.2, Connections("read", 2))),
    )
    events = [event for frame in ran.frames for event in frame.events]
    # A connection for each of the three processes: one without would leave its part of a pace undone.
    assert [event.text for event in events if event.lane is None] == [
        "reader connections: 3 per lane"
    ]
    assert "no connections of writers: the race began without any" in [
        event.text for event in events if event.lane == "mysql"
    ]
    # All of it reads on.
    assert sum(part.read.operations for part in between(ran.frames, 0.7, 1.2)) > 0
    assert ran.lanes["mysql"].write.operations == 0
