"""A lane that telemon limits says so, and by what; one that it does not limit does not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import mean
from typing import Any

import psutil
import pytest

from engines.config import race_config as config
from engines.metrics.frame import Frame, LaneState
from engines.race.race import Race
from engines.results.result_json import frame_json, result_document
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import engine_pids, forget, store_in_memory, with_settings
from tui.report.interval_lines import frame_lines
from tui.report.race_report import build_report
from tui.report.text_table import final_table

UNDISTURBED_FRAMES = 3
"""So many in a row, of a second each, are a race in which nobody took the processor from the engine."""

BUSY_SHARE = 0.93
"""Of a core, as the system says it. A frame lies within two of its readings, which are taken a little later: where both
say so much, the frame has more than the 85 % that make it client-bound."""

QUIET_WAIT_S = 40.0


def raced(sandbox: Sandbox, settings: config.RaceConfig) -> tuple[dict[str, Any], list[Any], str]:
    """Of a race with one lane: what the result has of it, its measured frames, and everything that was said in text."""
    forget(sandbox)
    with Race(settings, interval_s=0.5, sandbox=sandbox) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        frames = []
        for frame in race.frames():
            summary.add(frame)
            frames.append(frame)
    result: dict[str, Any] = result_document(summary)
    lines = [line for frame in frames for line in frame_lines(frame)]
    racing = [frame for frame in frames if frame.lanes[0].state is LaneState.RACING]
    return result, racing, "\n".join([*lines, *final_table(summary)])


def test_the_share_of_a_core_is_what_the_system_says(sandbox: Sandbox) -> None:
    """Whether that is more than 85 % depends on what else the machine does; so does what must then be said."""
    settings = with_settings(lanes=("cached",), writers=0, readers=64, cache="filled")
    forget(sandbox)
    seen: list[tuple[float, float]] = []
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        engine = psutil.Process(engine_pids(race)["cached/read"])
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


class Usage:
    """What share of a core a process has used since it was last asked, as the system says it."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._at_s, self._used_s = time.monotonic(), self._cpu_s()

    def _cpu_s(self) -> float:
        used = self._process.cpu_times()
        return used.user + used.system

    def share(self) -> float:
        at_s, used_s = time.monotonic(), self._cpu_s()
        share = (used_s - self._used_s) / (at_s - self._at_s)
        self._at_s, self._used_s = at_s, used_s
        return share


@contextmanager
def before_all_others(*pids: int) -> Iterator[None]:
    """Let these processes have a processor whenever they want one, as far as this user may say so."""
    lent = []
    try:
        with suppress(AttributeError, PermissionError):
            for pid in pids:
                os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))
                lent.append(pid)
        yield
    finally:
        for pid in lent:
            with suppress(ProcessLookupError):
                os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


def settings_for_a_busy_engine(sandbox: Sandbox) -> config.RaceConfig:
    """Rows that cost telemon several times what they cost the server, for one that keeps them in memory only: some
    batch has always been answered, and the engine is never idle."""
    store = store_in_memory(sandbox)
    return with_settings(lanes=("durable",), durable=store, writers=8, readers=0, duration_s=None)


@pytest.mark.skipif(psutil.cpu_count() == 1, reason="engine and server need a processor each")
def test_an_engine_that_is_never_idle_is_client_bound_by_cpu(sandbox: Sandbox) -> None:
    """As soon as the system says that the engine had a core for a while: other work may keep it from that."""
    settings = settings_for_a_busy_engine(sandbox)
    seen: list[tuple[Frame, float]] = []
    shares: list[float] = []
    with Race(settings, interval_s=1.0, sandbox=sandbox) as race:
        (engine,) = engine_pids(race).values()
        whole = Summary(settings, race.lane_infos, race.environment)
        with before_all_others(engine, sandbox.servers["cache"].pid):
            usage = Usage(engine)
            for frame in race.frames():
                shares.append(usage.share())
                if shares[-1] > BUSY_SHARE and frame.lanes[0].state is LaneState.RACING:
                    seen.append((frame, shares[-1]))
                    whole.add(frame)
                else:
                    seen, whole = [], whole.restarted()
                if len(seen) == UNDISTURBED_FRAMES:
                    break
                assert frame.elapsed_s < QUIET_WAIT_S, f"the engine never had a core: {shares}"

    for frame, share in seen:
        client = frame.lanes[0].client
        assert client.cpu_share == pytest.approx(share, abs=0.1)
        reason = f"cpu {round(client.cpu_share * 100)} % of a core"
        told: Any = frame_json(frame)
        shown = told["lanes"][0]["client"]
        assert (shown["client_bound"], shown["cpu_share"]) == (True, round(client.cpu_share, 3))
        assert shown["client_bound_by"].startswith(reason)
        (line,) = frame_lines(frame)
        assert f"  client-bound: {reason}" in line

    total = whole.lanes()[0].client.cpu_share
    result: Any = result_document(whole)
    client = result["lanes"][0]["client"]
    assert client["client_bound"] is True
    assert client["client_bound_share"] == 1.0
    assert client["cpu_share"] == round(total, 3)
    assert total == pytest.approx(mean(share for _, share in seen), abs=0.05)
    reason = client["client_bound_by"]
    assert reason.startswith(f"cpu {round(total * 100)} % of a core")
    lines = list(final_table(whole))
    cells = {line[:22].strip(): line[22:].strip() for line in lines}
    assert cells["client-bound"] == "YES"
    assert float(cells["cpu of one core"].removesuffix(" %")) == pytest.approx(total * 100, abs=0.1)
    sentence = (
        f"durable: client-bound ({reason}): telemon and not the servers may be what limits it"
    )
    assert f"note: {sentence}" in lines
    assert sentence in result["fairness"]["notes"]
    (finish,) = build_report(whole).lane_reports
    assert any(f"client-bound by {reason}" in text for text in finish.findings)


@pytest.mark.parametrize("readers", [0, 8])
def test_batches_that_take_long_to_make_up_are_client_bound_by_loop_lag(
    sandbox: Sandbox, readers: int
) -> None:
    """Whether or not the lane has readers too, which fare well."""
    settings = with_settings(
        lanes=("durable",), writers=8, readers=readers, batch=4_000, warmup_s=0.0, duration_s=2.0
    )
    result, frames, text = raced(sandbox, settings)
    client = result["lanes"][0]["client"]
    assert client["own_lag_p99_us"] > 1_000
    assert client["loop_lag_p99_us"] > 1_000
    assert "loop lag p99 " in client["client_bound_by"]
    bound = [frame for frame in frames if frame.lanes[0].client.client_bound]
    assert bound
    told: Any = frame_json(bound[0])
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


@contextmanager
def crowd_beside(pid: int) -> Iterator[None]:
    """Let a process share one processor with another that is always busy and goes first."""
    processor = min(os.sched_getaffinity(pid))
    busy = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\nuntil = time.time() + 20\nwhile time.time() < until: pass",
        ]
    )
    try:
        os.sched_setaffinity(busy.pid, {processor})
        os.sched_setaffinity(pid, {processor})
        os.setpriority(os.PRIO_PROCESS, pid, 10)
        yield
    finally:
        busy.kill()
        busy.wait(10)


def _waited_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])


@pytest.mark.soak  # on a busy machine the two readings are of different moments
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only this kernel knows")
def test_the_wait_for_a_processor_is_what_the_system_says(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = with_settings(
        lanes=("cached",), writers=0, readers=4, cache="filled", duration_s=4.0
    )
    frames: list[Frame] = []
    waited_ns: list[int] = []
    with Race(settings, interval_s=0.5, sandbox=sandbox) as race:
        (engine,) = engine_pids(race).values()
        summary = Summary(settings, race.lane_infos, race.environment)
        with crowd_beside(engine):
            for frame in race.frames():
                summary.add(frame)
                if frame.lanes[0].state is not LaneState.RACING:
                    continue
                frames.append(frame)
                waited_ns.append(_waited_ns(engine))
    assert len(frames) > 4
    told_ns = sum(frame.lanes[0].read.scheduling_delay.waited_ns for frame in frames[1:])
    assert told_ns == pytest.approx(waited_ns[-1] - waited_ns[0], rel=0.2)
    # It goes first: the engine had less than half of the processor.
    assert told_ns > 0.3e9 * (len(frames) - 1) * 0.5
    lane = summary.lanes()[0]
    assert lane.read.cpu_contention
    assert any(note.startswith("cached: short of processors") for note in summary.notes())
