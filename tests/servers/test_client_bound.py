"""A lane that telemon limits says so, and by what; one that it does not limit does not."""

from __future__ import annotations

import time
from statistics import mean
from typing import Any

import psutil
import pytest

from engines import config
from engines.frame import LaneState
from engines.objects import frame_object
from engines.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.summary import Summary
from tui.lines import frame_lines
from tui.table import final_table

from .racing import forget, with_settings


def raced(sandbox: Sandbox, settings: config.Race) -> tuple[dict[str, Any], list[Any], str]:
    """Of a race with one lane: what the result has of it, its measured frames, and everything that was said in text."""
    forget(sandbox)
    with Race(settings, interval_s=0.5, sandbox=sandbox) as race:
        summary = Summary(settings, race.entrants, race.facts)
        frames = []
        for frame in race.frames():
            summary.add(frame)
            frames.append(frame)
    result: dict[str, Any] = summary.result()
    lines = [line for frame in frames for line in frame_lines(frame)]
    racing = [frame for frame in frames if frame.lanes[0].state is LaneState.RACING]
    return result, racing, "\n".join([*lines, *final_table(summary)])


def test_the_share_of_a_core_is_what_the_system_says(sandbox: Sandbox) -> None:
    """Whether that is more than 85 % depends on what else the machine does; so does what must then be said."""
    settings = with_settings(lanes=("cached",), writers=0, readers=64, cache="filled")
    forget(sandbox)
    seen: list[tuple[float, float]] = []
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        engine = psutil.Process(race.engine_pids()["cached/read"])
        shares = []
        for frame in race.frames():
            if not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE:
                break
            used = engine.cpu_times()
            seen.append((time.monotonic(), used.user + used.system))
            client = frame.lanes[0].client
            shares.append(client.cpu_share)
            assert client.bound_by.startswith("cpu") is (client.cpu_share > 0.85)
    (from_s, before_s), (to_s, after_s) = seen[0], seen[-1]
    assert mean(shares[1:]) == pytest.approx((after_s - before_s) / (to_s - from_s), rel=0.25)


def test_batches_that_take_long_to_make_up_are_client_bound_by_loop_lag(sandbox: Sandbox) -> None:
    settings = with_settings(
        lanes=("durable",), writers=8, readers=0, batch=4_000, warmup_s=0.0, duration_s=2.0
    )
    result, frames, text = raced(sandbox, settings)
    client = result["lanes"][0]["client"]
    assert client["own_lag_p99_us"] > 1_000
    assert client["loop_lag_p99_us"] > 1_000
    assert "loop lag p99 " in client["client_bound_by"]
    bound = [frame for frame in frames if frame.lanes[0].client.client_bound]
    assert bound
    told: Any = frame_object(bound[0])
    reason = told["lanes"][0]["client"]["client_bound_by"]
    assert "loop lag p99 " in reason
    assert f"client-bound: {reason}" in text
    assert "durable: client-bound (" in text


def test_an_easy_pace_is_not_client_bound(sandbox: Sandbox) -> None:
    settings = with_settings(mode="pace", rate_per_s=50.0, warmup_s=0.5, duration_s=1.5)
    result, frames, text = raced(sandbox, settings)
    for lane in result["lanes"]:
        client = lane["client"]
        assert client["client_bound"] is False, client
        assert client["client_bound_by"] is None
        assert client["client_bound_share"] == 0
        # It was measured, and found small.
        assert 0 < client["cpu_share"] < 0.85
    assert all(lane.client.loop_lag.count > 0 for frame in frames for lane in frame.lanes)
    assert "client-bound:" not in text
    assert "client-bound (" not in text
