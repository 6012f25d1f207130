"""Totals of a lane, for what only an open loop and a broken lane show."""

from __future__ import annotations

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.stats import RoleStats
from engines.metrics.totals import LaneTotals


def racing(backlog: dict[str, int], overloaded: bool = False) -> LaneFrame:
    work = RoleStats(operations=1, rows=1, interval_s=0.5)
    return LaneFrame("mysql", LaneState.RACING, work, work, backlog=backlog, overloaded=overloaded)


def test_the_backlog_of_the_totals_is_that_of_the_end_and_beside_it_the_longest() -> None:
    totals = LaneTotals()
    for backlog in ({"write": 9, "read": 2}, {"write": 4, "read": 3}):
        totals.add(racing(backlog), 0.5, measured=True)
    assert totals.frame("mysql").backlog == {"write": 4, "read": 3}
    assert totals.backlog_max == {"write": 9, "read": 3}


def test_an_overload_of_less_than_a_second_is_an_overload() -> None:
    totals = LaneTotals()
    totals.add(racing({"write": 900}, overloaded=True), 0.5, measured=True)
    assert totals.overloaded_s == 0.5
    assert totals.frame("mysql").overloaded is True


def test_a_lane_that_brought_nothing_but_wrong_content_never_answered() -> None:
    totals = LaneTotals()
    wrong = RoleStats(operations=5, wrong_content=5, interval_s=0.5)
    totals.add(LaneFrame("mysql", LaneState.RACING, RoleStats(), wrong), 0.5, measured=True)
    assert not totals.answered
    assert totals.frame("mysql").read.wrong_content == 5
    one = RoleStats(operations=6, rows=1, wrong_content=5, interval_s=0.5)
    totals.add(LaneFrame("mysql", LaneState.RACING, RoleStats(), one), 0.5, measured=True)
    assert totals.answered
