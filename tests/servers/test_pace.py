"""Pace: an open loop on real servers. What a stalled server keeps waiting is seen in full."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from threading import Thread

import pytest

from engines.config import race_config as config
from engines.metrics.frame import Frame, LaneState
from engines.metrics.histogram import LatencyDistribution, bucket_upper_ns
from engines.metrics.merge import merge
from engines.metrics.stats import RoleStats
from engines.model.controls import Connections, Control, Rate
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import forget, run_race, with_settings

RATE_PER_S = 400.0


def paced(settings: config.RaceConfig, rate_per_s: float) -> config.RaceConfig:
    return replace(settings, mode="pace", rate_per_s=rate_per_s)


def measured(frames: list[Frame], lane: str, role: str) -> RoleStats:
    works: list[RoleStats] = [
        getattr(part, role)
        for frame in frames
        for part in frame.lanes
        if part.lane == lane and part.state is not LaneState.WARMING
    ]
    return merge(RoleStats, works, interval_s=frames[-1].elapsed_s)


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


class Stall:
    """Stops the cluster's nodes for a second, once the race has been measured for `at_s`."""

    def __init__(self, sandbox: Sandbox, at_s: float) -> None:
        self._pids = [
            server.pid for name, server in sandbox.servers.items() if name.startswith("durable")
        ]
        self._at_s = at_s
        self._thread: Thread | None = None
        self.began_s = 0.0
        self.lasted_s = 0.0

    def __call__(self, _: Race, frame: Frame) -> None:
        if self._thread is None and frame.elapsed_s >= self._at_s:
            self._thread = Thread(target=self._stop)
            self._thread.start()

    def _stop(self) -> None:
        self.began_s = time.monotonic()
        try:
            for pid in self._pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(1.0)
        finally:
            for pid in self._pids:
                os.kill(pid, signal.SIGCONT)
        self.lasted_s = time.monotonic() - self.began_s

    def wait(self) -> None:
        assert self._thread is not None
        self._thread.join()


def stalled(sandbox: Sandbox, order: Control) -> tuple[RoleStats, Stall, float]:
    """What readers of `durable` did in a race at `RATE_PER_S` with a stall, in the midst of which the race was told
    `order`; the stall, and how far into it that was, in s."""
    forget(sandbox)
    settings = with_settings(lanes=("durable",), writers=0, readers=4, warmup_s=0.5, duration_s=5.0)
    stall = Stall(sandbox, at_s=1.5)
    ordered_s: list[float] = []

    def give_order(race: Race, frame: Frame) -> None:
        stall(race, frame)
        if not ordered_s and frame.elapsed_s >= 1.9:
            race.send(order)
            ordered_s.append(time.monotonic())

    ran = run_race(sandbox, paced(settings, RATE_PER_S), on_frame=give_order)
    stall.wait()
    work = measured(ran.frames, "durable", "read")
    assert work.response is not None
    assert work.errors == {}
    into_s = ordered_s[0] - stall.began_s
    assert 0 < into_s < stall.lasted_s - 0.1, "the order came outside the stall"
    return work, stall, into_s


def test_a_stall_shows_in_full_though_the_connections_change_in_it(sandbox: Sandbox) -> None:
    """Who changes the number of connections waits for the operations under way; what is due meanwhile is due."""
    work, stall, _ = stalled(sandbox, Connections("read", 8))
    assert work.response is not None
    assert above(work.response, 50_000_000) == pytest.approx(
        RATE_PER_S * (stall.lasted_s - 0.05), rel=0.15
    )
    assert work.response.max_us == pytest.approx(stall.lasted_s * 1e6, rel=0.1)


def test_a_stall_shows_in_full_though_the_rate_changes_in_it(sandbox: Sandbox) -> None:
    """R operations a second are due until the rate changes, a quarter of it from then on, and all of them wait."""
    work, stall, changed_s = stalled(sandbox, Rate(RATE_PER_S / 4))
    assert work.response is not None
    due = RATE_PER_S * changed_s + RATE_PER_S / 4 * (stall.lasted_s - 0.05 - changed_s)
    assert above(work.response, 50_000_000) == pytest.approx(due, rel=0.1)
    assert work.response.max_us == pytest.approx(stall.lasted_s * 1e6, rel=0.1)


def test_response_time_shows_a_stalled_second_that_service_time_hides(sandbox: Sandbox) -> None:
    """A server stopped for one of ten seconds at rate R: the operations due in it, R of them, respond 0 to 1 s late,
    evenly spread; by service time only as many were slow as there are connections."""
    forget(sandbox)
    connections, duration_s = 4, 10.0
    settings = with_settings(
        lanes=("durable",), writers=0, readers=connections, warmup_s=0.5, duration_s=duration_s
    )
    stall = Stall(sandbox, at_s=3.0)
    ran = run_race(sandbox, paced(settings, RATE_PER_S), on_frame=stall)
    stall.wait()
    work = measured(ran.frames, "durable", "read")
    assert work.response is not None
    # Nothing was dropped: all that was due in ten seconds was done, and none of it failed.
    assert work.operations == work.response.count == pytest.approx(duration_s * RATE_PER_S, abs=8)
    assert work.errors == {}
    # Due in the stall and not in its last 50 ms: R times what is left of it, as many in each quarter.
    late = above(work.response, 50_000_000)
    assert late == pytest.approx(RATE_PER_S * (stall.lasted_s - 0.05), rel=0.1)
    quarters = [
        above(work.response, int((stall.lasted_s - past_s) * 1e9)) for past_s in (0.25, 0.5, 0.75)
    ]
    assert quarters == pytest.approx([RATE_PER_S * part for part in (0.25, 0.5, 0.75)], rel=0.15)
    # The slowest hundredth of what was due in ten seconds was due in the stall's first 0.1 s.
    p99_us = (stall.lasted_s - duration_s / 100) * 1e6
    assert work.response.percentile_us(99) == pytest.approx(p99_us, rel=0.04)
    assert work.response.max_us == pytest.approx(stall.lasted_s * 1e6, rel=0.04)
    # A connection waits for one reply: all the others are not even asked for, and service time never hears of them.
    assert 1 <= above(work.service, 50_000_000) <= connections
    assert work.service.percentile_us(99) < 50_000
    # They are in the picture while they wait.
    backlog = max(part.backlog["read"] for frame in ran.frames for part in frame.lanes)
    assert RATE_PER_S / 2 < backlog < 1.1 * RATE_PER_S * stall.lasted_s


def test_the_same_stop_in_a_closed_loop_is_one_slow_operation_per_connection(
    sandbox: Sandbox,
) -> None:
    forget(sandbox)
    settings = with_settings(lanes=("durable",), writers=0, readers=4, warmup_s=0.2, duration_s=2.5)
    stall = Stall(sandbox, at_s=0.5)
    ran = run_race(sandbox, settings, on_frame=stall)
    stall.wait()
    work = measured(ran.frames, "durable", "read")
    assert work.response is None
    assert above(work.service, 500_000_000) == 4
    # Of thousands: no percentile that is looked at shows the second.
    assert work.service.percentile_us(99) < 500_000


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
    last = merge(
        RoleStats,
        [frame.lanes[0].read for frame in ran.frames if frame.elapsed_s > 3.2],
        interval_s=1.0,
    )
    assert last.response is not None
    assert last.response.max_us < 900_000


def above(latencies: LatencyDistribution, value_ns: int) -> int:
    return sum(count for index, count in latencies.buckets if bucket_upper_ns(index) > value_ns)
