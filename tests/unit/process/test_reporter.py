"""Interval reports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.driver.reactor import Reactor
from engines.driver.timers import NEVER_NS
from engines.ipc.messages import IntervalReport
from engines.metrics import scheduling_delay as scheduling_delay
from engines.metrics.scheduling_delay import UNKNOWN, SchedstatReader, SchedulingDelay
from engines.process.reporter import IntervalReporter
from engines.wire.dialect import REDIS


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor(lambda _: (REDIS, socket.socket))
    yield made
    made.close()


def cut(reporter: IntervalReporter, now_ns: int) -> IntervalReport:
    return reporter.report(
        0, now_ns, problem="", violation="", paused=False, held=False, last=False
    )


def test_a_scheduling_delay_belongs_to_the_statistics_of_its_interval(
    reactor: Reactor, tmp_path: Path
) -> None:
    stat = tmp_path / "schedstat"
    stat.write_text("0 1000 1\n")
    reporter = IntervalReporter(reactor)
    reporter._run_queue = SchedstatReader(stat)
    stat.write_text("0 3000 2\n")
    reporter.begin_race(0)  # Discards the scheduling delay before the run.
    reactor.measure_from_ns = NEVER_NS

    stat.write_text("0 8000 4\n")
    warm = cut(reporter, 1_000)
    assert warm.warm.work.scheduling_delay == SchedulingDelay(5_000, 2)
    assert warm.measured.work.scheduling_delay == UNKNOWN

    # Measuring begins within an interval: it is unknown in which part of it the loop waited.
    reactor.measure_from_ns = 1_500
    stat.write_text("0 9000 5\n")
    both = cut(reporter, 2_000)
    assert both.warm.work.scheduling_delay == SchedulingDelay(1_000, 1)
    assert both.measured.work.scheduling_delay == UNKNOWN

    for _ in range(6):
        reactor.loop_lag.record(10)
    stat.write_text("0 9600 8\n")
    measured = cut(reporter, 3_000)
    assert measured.warm.work.scheduling_delay == UNKNOWN
    assert measured.measured.work.scheduling_delay == SchedulingDelay(600, 6)


def test_it_is_read_from_the_kernel(reactor: Reactor) -> None:
    assert IntervalReporter(reactor)._run_queue._schedstat == scheduling_delay.SCHEDSTAT
