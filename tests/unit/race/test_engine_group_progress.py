"""What is told of the connections while a race starts."""

from __future__ import annotations

import time

import pytest

from engines.ipc.messages import OpenProgress
from engines.model.connecting import LaneConnecting
from engines.race.engine_group import ConnectProgress


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_a_lane_is_told_with_all_of_its_processes_and_what_it_waits_for(clock: Clock) -> None:
    told: list[LaneConnecting] = []
    progress = ConnectProgress(told.append)
    clock.now_s = 1.5
    progress.note("cached", [OpenProgress(512, 512), None])
    assert told == []  # How many there are in all is not known yet.
    progress.note("cached", [OpenProgress(512, 512), OpenProgress(100, 512, "db:3306")])
    assert told == [LaneConnecting("cached", 612, 1024, "db:3306")]


def test_a_start_that_is_over_at_once_is_not_told(clock: Clock) -> None:
    told: list[LaneConnecting] = []
    progress = ConnectProgress(told.append)
    progress.note("mysql", [OpenProgress(0, 8, "db:3306")])
    clock.now_s = 0.9
    progress.note("mysql", [OpenProgress(8, 8)])
    clock.now_s = 5.0  # Another lane takes longer.
    progress.note("mysql", [OpenProgress(8, 8)])
    assert told == []


def test_changes_are_told_twice_a_second_and_the_end_always(clock: Clock) -> None:
    told: list[LaneConnecting] = []
    progress = ConnectProgress(told.append)
    for tenth in range(10, 31):
        clock.now_s = tenth / 10
        progress.note("durable", [OpenProgress(tenth * 10, 301, "cache:6379")])
    assert [step.opened for step in told] == [100, 150, 200, 250, 300]
    progress.note("durable", [OpenProgress(301, 301)])
    progress.note("durable", [OpenProgress(301, 301)])
    assert told[5:] == [LaneConnecting("durable", 301, 301)]
