"""What the kernel says of a thread that waits for a processor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engines.metrics.merge import merge
from engines.metrics.scheduling_delay import SCHEDSTAT, UNKNOWN, SchedstatReader, SchedulingDelay


def test_a_wait_is_shared_by_the_turns_that_it_held_up(tmp_path: Path) -> None:
    stat = tmp_path / "schedstat"
    stat.write_text("900 5000 40\n")
    queue = SchedstatReader(stat)
    stat.write_text("1900 35000 50\n")
    # More turns than it was given a processor: it seldom slept.
    assert queue.take(turns=15) == SchedulingDelay(30_000, 15)
    stat.write_text("2900 95000 80\n")
    # Fewer: it was woken by timers too, or lost its processor on the way.
    wait = queue.take(turns=12)
    assert wait == SchedulingDelay(60_000, 30)
    assert wait.mean_us == 2.0
    merged = merge(SchedulingDelay, [wait, SchedulingDelay(30_000, 15), UNKNOWN])
    assert merged == SchedulingDelay(90_000, 45)


@pytest.mark.parametrize("text", [None, "", "12 34\n", "a b c\n"])
def test_nothing_is_said_where_the_kernel_says_nothing(tmp_path: Path, text: str | None) -> None:
    stat = tmp_path / "schedstat"
    if text is not None:
        stat.write_text(text)
    wait = SchedstatReader(stat).take(turns=10)
    assert wait == UNKNOWN
    assert wait.mean_us is None


@pytest.mark.skipif(sys.platform != "linux", reason="the figures are the Linux kernel's")
def test_linux_says_it_of_every_thread() -> None:
    if not SCHEDSTAT.exists():
        pytest.skip("this kernel was built without it")
    queue = SchedstatReader()
    assert queue.take(turns=7).turns >= 7
