"""What the engines of a lane report becomes frames: of the right interval, in the right state, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engines.config import race_config as config
from engines.ipc.messages import IntervalReport
from engines.ipc.schedule import Schedule
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats
from engines.model.deaths import DeathCause, EngineDeath, ProcessEnd
from engines.model.roles import Role
from engines.race.engine_process import EngineProcess
from engines.race.lane_runner import HANG_NS, LaneRunner
from engines.race.report_queue import ReportQueue
from engines.results.run_counts import RunCounts
from tests.support import frames

MEASURE_FROM_NS = 1_000


class Reporter(EngineProcess):
    """An engine that has no process."""

    def __init__(self, role: Role, *reports: IntervalReport) -> None:
        self.lane, self.role, self.name = "mysql", role, f"mysql/{role}"
        self.reports = ReportQueue(reports)
        self.heat_finished = self.over = False
        self.death = self.ended_ns = None
        self.node_counts, self.versions = {}, {}

    def send(self, message: object) -> None:
        pass

    def abandon(self) -> None:
        self.over = True
        self.death = EngineDeath("mysql", self.role, 1, 0.0, ProcessEnd(), DeathCause.HUNG)


def counted(operations: int) -> IntervalStats:
    return IntervalStats(
        RoleStats(operations, operations, interval_s=0.25 if operations else 0.0), CacheStats()
    )


def report(index: int, measured: int = 0, warm: int = 0) -> IntervalReport:
    return frames.report(counted(measured), counted(warm), index=index)


def runner_of(*engines: Reporter) -> LaneRunner:
    runner = LaneRunner("mysql", config.RaceConfig(lanes=("mysql",)), lambda _: None)
    runner.engines = list(engines)
    runner.start_run(Schedule(0, MEASURE_FROM_NS, None, 1), held=False)
    return runner


def frame(runner: LaneRunner, index: int, ended_ns: int) -> LaneFrame:
    return runner.frame(index, ended_ns, {}, None)


@pytest.mark.parametrize("index", [4, 3], ids=["in the next interval", "in the same one"])
def test_what_was_measured_before_the_warm_up_s_last_frame_was_made_is_in_the_next_one(
    index: int,
) -> None:
    """777 operations were measured: by an engine ahead of the frame, or by one that ended its interval late."""
    reports = [report(3, 0, 100), report(index, 777, 0)]
    reader = Reporter("read", *reports)
    runner = runner_of(reader)
    warming = frame(runner, 3, MEASURE_FROM_NS)
    reader.reports.add(report(4, 23, 1))
    racing = frame(runner, 4, 2 * MEASURE_FROM_NS)

    assert (warming.state, warming.read.operations) == (LaneState.WARMING, 100)
    assert (racing.state, racing.read.operations) == (LaneState.RACING, 800)
    # Both parts were measured for a quarter of a second.
    assert racing.read.interval_s == 0.5
    books = RunCounts()
    for each in (warming, racing):
        books.add(each)
    warm = runner.warm["read"]
    _, read, _ = books.total(RoleStats(), warm.work, warm.cache)
    assert read.operations == 100 + 777 + 23 + 1


def test_frames_that_are_made_late_show_an_interval_each() -> None:
    reader = Reporter("read", report(5, 50), report(6, 60), replace(report(7, 70), last=True))
    reader.over = True
    runner = runner_of(reader)
    shown = []
    for index in (5, 6, 7):
        shown.append(frame(runner, index, 2 * MEASURE_FROM_NS))
        assert runner.reported_after(index) == (index < 7)
    assert [each.read.operations for each in shown] == [50, 60, 70]
    assert [each.state for each in shown] == [LaneState.RACING, LaneState.RACING, LaneState.DONE]


def test_a_lane_that_is_paused_is_paused_though_a_connection_is_down() -> None:
    """Time in which it was told to rest lowers no rate; time in which it could not race does."""
    paused = replace(report(5), paused=True, closed_connections=1)
    assert frame(runner_of(Reporter("read", paused)), 5, 2_000).state is LaneState.PAUSED
    held = replace(report(5), held=True, closed_connections=1)
    assert frame(runner_of(Reporter("read", held)), 5, 2_000).state is LaneState.STARTING
    lost = replace(report(5), closed_connections=1)
    assert frame(runner_of(Reporter("read", lost)), 5, 2_000).state is LaneState.RECONNECTING


def test_a_lane_says_itself_where_it_is() -> None:
    """From the start barrier through a heat back to it, and to the end after the final one."""
    runner = runner_of(Reporter("read"))
    runner.start_run(Schedule(0, MEASURE_FROM_NS, None, 1), held=True)
    assert (runner.held, runner.heat) == (True, 0)
    for number, final in ((1, False), (2, True)):
        runner.start_heat(number, 2_000, 3_000, final=final)
        assert (runner.held, runner.heat) == (False, number)
        runner.end_heat()
        assert runner.held is not final
    with pytest.raises(AttributeError):
        runner.held = True  # type: ignore[misc]


def test_a_heat_is_finished_when_frames_show_all_of_it() -> None:
    reader = Reporter("read", report(5, 50), replace(report(6), held=True))
    runner = runner_of(reader)
    runner.start_heat(1, 0, 0, final=False)
    assert not runner.heat_finished
    reader.heat_finished = True
    assert not runner.heat_finished  # 50 operations are not shown yet.
    assert frame(runner, 5, 2_000).read.operations == 50
    assert runner.heat_finished
    runner.start_heat(2, 3_000, 3_000, final=True)
    assert not runner.heat_finished


def test_an_engine_is_given_up_only_after_somebody_has_listened_for_long_enough() -> None:
    engine = Reporter("read")
    runner = runner_of(engine)
    runner.start_run(Schedule(0, 0, 0, 1), held=False)
    late_ns = 100 * HANG_NS
    runner.give_up_on_hung(late_ns, listening_since_ns=late_ns - HANG_NS + 1)
    assert engine.death is None
    runner.give_up_on_hung(late_ns, listening_since_ns=late_ns - HANG_NS)
    assert engine.death is not None
    assert engine.death.cause is DeathCause.HUNG
