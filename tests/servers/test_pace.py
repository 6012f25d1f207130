"""Pace: an open loop on real servers. What a stalled server keeps waiting is seen in full."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from threading import Thread

import pytest

from engines import config
from engines.control import Rate
from engines.frame import Frame, LaneState, Work
from engines.histogram import Latencies, bucket_upper_ns
from engines.race import Race
from engines.sandbox.sandbox import Sandbox

from .racing import forget, run_race, with_settings

RATE_PER_S = 400.0


def paced(settings: config.Race, rate_per_s: float) -> config.Race:
    return replace(settings, mode="pace", rate_per_s=rate_per_s)


def measured(frames: list[Frame], lane: str, role: str) -> Work:
    works = [
        getattr(part, role)
        for frame in frames
        for part in frame.lanes
        if part.lane == lane and part.state is not LaneState.WARMING
    ]
    return Work.merged(works, frames[-1].elapsed_s)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_lane_does_what_is_offered(sandbox: Sandbox, processes: int) -> None:
    forget(sandbox)
    settings = with_settings(
        writers=4, readers=4, batch=5, warmup_s=0.5, duration_s=2.0, processes=processes
    )
    ran = run_race(sandbox, paced(settings, RATE_PER_S))
    for part in ran.frames[-1].lanes:
        for role in ("write", "read"):
            work = measured(ran.frames, part.lane, role)
            # 400 a second for two seconds; at the very end a few may be due and not begun.
            offered = work.operations + part.backlog[role]
            # A busy machine ends a race some milliseconds late, and until then more are due.
            most = RATE_PER_S * max(work.interval_s, 2.0)
            assert 792 <= offered <= most + 8, (part.lane, role, work.operations, part.backlog)
            assert work.response is not None
            assert work.response.count == work.operations
            assert work.response.sum_ns >= work.service.sum_ns
    assert not any(part.overloaded for frame in ran.frames for part in frame.lanes)


def test_response_time_shows_a_stalled_second_that_service_time_hides(sandbox: Sandbox) -> None:
    """A server stopped for one second at rate R: the operations due in it, R of them, respond 0 to 1 s late, evenly
    spread; by service time only as many were slow as there are connections."""
    forget(sandbox)
    connections = 4
    settings = with_settings(
        lanes=("durable",), writers=0, readers=connections, warmup_s=0.5, duration_s=4.0
    )
    pids = [server.pid for name, server in sandbox.servers.items() if name.startswith("durable")]
    stopped_s: list[float] = []

    def stall() -> None:
        began_s = time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.0)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        stopped_s.append(time.monotonic() - began_s)

    threads: list[Thread] = []

    def stop_once(_: Race, frame: Frame) -> None:
        if not threads and frame.elapsed_s >= 1.0:
            threads.append(Thread(target=stall))
            threads[0].start()

    ran = run_race(sandbox, paced(settings, RATE_PER_S), on_frame=stop_once)
    threads[0].join()
    work = measured(ran.frames, "durable", "read")
    assert work.response is not None
    # Nothing was dropped: all that was due in four seconds was done.
    assert abs(work.operations - 4 * RATE_PER_S) <= 8
    late = above(work.response, 50_000_000)
    expected = RATE_PER_S * (stopped_s[0] - 0.05)
    assert abs(late - expected) < 0.15 * expected
    slow = above(work.service, 50_000_000)
    assert 1 <= slow <= connections
    # Of 1,600 operations 400 waited, evenly from 0 to 1 s: the slowest 1 % are the 16 of the stall's first 40 ms.
    assert 900_000 < work.response.percentile_us(99) < 1_000_000 * (stopped_s[0] + 0.05)
    assert work.service.percentile_us(99) < 100_000
    backlog = max(part.backlog["read"] for frame in ran.frames for part in frame.lanes)
    assert backlog > RATE_PER_S / 4


def test_the_same_stop_in_a_closed_loop_is_one_slow_operation_per_connection(
    sandbox: Sandbox,
) -> None:
    forget(sandbox)
    settings = with_settings(lanes=("durable",), writers=0, readers=4, warmup_s=0.2, duration_s=2.5)
    pids = [server.pid for name, server in sandbox.servers.items() if name.startswith("durable")]
    threads: list[Thread] = []

    def stall() -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.0)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def stop_once(_: Race, frame: Frame) -> None:
        if not threads and frame.elapsed_s >= 0.5:
            threads.append(Thread(target=stall))
            threads[0].start()

    ran = run_race(sandbox, settings, on_frame=stop_once)
    threads[0].join()
    work = measured(ran.frames, "durable", "read")
    assert work.response is None
    assert above(work.service, 500_000_000) == 4


def test_more_than_the_server_can_is_an_overload(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(
        lanes=("mysql",), writers=1, readers=0, batch=100, warmup_s=0.0, duration_s=2.0
    )
    ran = run_race(sandbox, paced(settings, 50_000.0))
    frames = [frame.lanes[0] for frame in ran.frames]
    assert any(part.overloaded for part in frames)
    assert max(part.backlog["write"] for part in frames) > 50_000
    assert sum(part.late for part in frames) > 0


def test_the_rate_changes_while_racing(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(lanes=("durable",), writers=0, readers=4, warmup_s=0.0, duration_s=4.0)
    asked: list[float] = []

    def change(race: Race, frame: Frame) -> None:
        for at_s, rate in ((1.0, 100.0), (2.0, None), (3.0, 200.0)):
            if frame.elapsed_s >= at_s and at_s not in asked:
                asked.append(at_s)
                race.send(Rate(rate))

    ran = run_race(sandbox, paced(settings, 1_000.0), on_frame=change)
    rates = {round(frame.elapsed_s, 2): frame.lanes[0].read.rows_per_s for frame in ran.frames[:-1]}
    assert 950 < rates[0.75] < 1_050
    assert 80 < rates[1.75] < 120
    assert rates[2.75] > 1_500
    assert 170 < rates[3.75] < 230
    said = [event.text for frame in ran.frames for event in frame.events if event.lane is None]
    assert said == [
        "mode: pace, 100 operations per second and role",
        "mode: saturate",
        "mode: pace, 200 operations per second and role",
    ]
    # Due times begin with the rate: the second without one makes nobody late.
    last = Work.merged([frame.lanes[0].read for frame in ran.frames if frame.elapsed_s > 3.2], 1.0)
    assert last.response is not None
    assert last.response.max_us < 900_000


def above(latencies: Latencies, value_ns: int) -> int:
    return sum(count for index, count in latencies.buckets if bucket_upper_ns(index) > value_ns)
