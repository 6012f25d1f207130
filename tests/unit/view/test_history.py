"""What is made of frames for the screen: open loops, heats, and axes that one bad second does not spoil."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.stats import CacheStats, RoleStats
from tests.support.open_loop_frames import heats
from tests.support.synthetic_frames import usual
from tests.support.view_frames import INTERVAL_S, frame, only, shown, work
from tui.view.axis import HEADROOM, MAX_OVERSIZE, SHRINK_AFTER, Axes
from tui.view.history import ViewBuilder
from tui.view.view import ChartPoint

# ------------------------------------------------------------ open loops


def test_open_loop_has_both_times_and_its_backlog() -> None:
    history = ViewBuilder()
    done = work(2_000, response_us=70_000)
    for seq in range(3):
        history.add(
            frame(seq, LaneFrame(
                "mysql", LaneState.RACING, done, work(100, response_us=300),
                backlog={"write": 40, "read": 2}, late=7, overloaded=True,
            ))
        )  # fmt: skip
    lane = only(history)
    assert lane.paced
    assert lane.overloaded
    assert lane.late == 21
    assert (lane.write.backlog, lane.read.backlog) == (40, 2)
    assert (lane.write.p99_us, lane.write.response_p99_us) == (2_000, 70_000)
    assert (lane.read.p50_us, lane.read.response_p50_us) == (100, 300)
    assert lane.write.operations_per_s == 10 / INTERVAL_S
    # The chart shows what was felt.
    assert [point.write_p99_us for point in lane.points] == [70_000, 70_000]


def test_closed_loop_has_none_of_it() -> None:
    history = ViewBuilder()
    paced = LaneFrame(
        "mysql", LaneState.RACING, work(50, response_us=900), backlog={"write": 4, "read": 0}
    )
    history.add(frame(0, paced))
    # Back to saturate: the times of the open loop are still in the window.
    history.add(frame(1, LaneFrame("mysql", LaneState.RACING, work(50))))
    lane = only(history)
    assert not lane.paced
    assert lane.write.response_p99_us is None
    assert lane.write.ranking_p99_us == 50
    assert lane.write.backlog == 0


def test_lanes_are_ranked_by_what_was_felt() -> None:
    """A lane that is fast once it begins, and begins late, is not the fastest."""
    history = ViewBuilder()
    backlog = {"write": 0, "read": 9}
    history.add(
        frame(
            0,
            LaneFrame("mysql", LaneState.RACING, read=work(50, response_us=9_000), backlog=backlog),
            LaneFrame("durable", LaneState.RACING, read=work(80, response_us=90), backlog=backlog),
        )
    )
    by_lane = {lane.lane: lane.ranks["p99"] for lane in shown(history).lanes}
    assert (by_lane["durable"].position, by_lane["mysql"].position) == (1, 2)
    assert by_lane["mysql"].factor == pytest.approx(100)


def test_what_was_late_in_the_warm_up_is_not_counted() -> None:
    history = ViewBuilder()
    for seq, state in enumerate((LaneState.WARMING, LaneState.WARMING, LaneState.RACING)):
        history.add(frame(seq, LaneFrame("mysql", state, backlog={"write": 0, "read": 0}, late=5)))
    assert only(history).late == 5


def test_times_of_the_warm_up_are_in_no_percentile_of_the_race() -> None:
    history = ViewBuilder()
    for seq in range(3):
        history.add(frame(seq, LaneFrame("mysql", LaneState.WARMING, work(900_000), work(800_000))))
    assert only(history).write.p99_us == 900_000
    history.add(frame(3, LaneFrame("mysql", LaneState.RACING, work(700), work(60))))
    lane = only(history)
    assert (lane.write.p50_us, lane.write.p99_us) == (700, 700)
    assert (lane.read.p50_us, lane.read.p99_us) == (60, 60)
    assert lane.write.window_rows_per_s == 10 / INTERVAL_S
    assert (lane.write.rows, lane.read.operations) == (10, 10)


def test_a_reset_is_told_with_its_time() -> None:
    history = ViewBuilder()
    history.add(frame(0, LaneFrame("mysql", LaneState.RACING, work(50))))
    assert shown(history).reset_s is None
    history.reset()
    assert shown(history).reset_s == 1.0
    # Before there is anything measured there is nothing to reset.
    early = ViewBuilder()
    early.add(replace(frame(0, LaneFrame("mysql", LaneState.WARMING, work(50))), elapsed_s=0.0))
    early.reset()
    assert shown(early).reset_s is None


def test_a_gap_in_the_frames_is_a_gap_in_the_chart() -> None:
    history = ViewBuilder()
    # Points of half a second, two frames each: those of three points are missing.
    for seq in (1, 2, 9, 10):
        history.add(frame(seq, LaneFrame("mysql", LaneState.RACING, work(700), work(60))))
    rates = [point.write_rows_per_s for point in only(history).points]
    assert rates == [10 / INTERVAL_S, 0.0, 0.0, 0.0, 10 / INTERVAL_S]
    assert [point.read_p99_us for point in only(history).points] == [60, None, None, None, 60]


# ------------------------------------------------------------ axes


def test_warm_up_stretches_no_axis() -> None:
    history = ViewBuilder()
    for seq in range(4):
        history.add(frame(seq, LaneFrame("mysql", LaneState.WARMING, work(4_000_000, rows=9_000))))
        # While there is nothing else, it is shown as it is.
        assert shown(history).axis.p99_us == 5_000_000
        assert shown(history).axis.rows_per_s == 50_000
    history.add(frame(4, LaneFrame("mysql", LaneState.RACING, work(1_500, rows=300))))
    for axis in (shown(history).axis, only(history).axis):
        assert axis.p99_us == 2_000
        assert axis.rows_per_s == 2_000
    # Its points are still there, ahead of the race.
    assert [point.warm for point in only(history).points] == [True, True, False]


def test_a_point_is_never_half_warm_up() -> None:
    """Half a second holds two frames, and the race begins between them."""
    history = ViewBuilder()
    states = (LaneState.WARMING, LaneState.WARMING, LaneState.RACING)
    for seq, (state, us) in enumerate(zip(states, (900_000, 900_000, 700), strict=True), 1):
        history.add(frame(seq, LaneFrame("mysql", state, work(us))))
    first, second = only(history).points
    assert first.warm
    assert (second.warm, second.write_p99_us) == (False, 700)
    assert shown(history).axis.p99_us == 1_000


def points(*p99s_us: float) -> list[ChartPoint]:
    return [ChartPoint(100.0, 100.0, us, us) for us in p99s_us]


@given(
    spike=st.floats(2, 10_000), usual_us=st.floats(10, 100_000), shown=st.integers(4, 120),
    noise=st.floats(0.5, 1.0),
)  # fmt: skip
def test_a_spike_flattens_nothing_longer_than_it_is_seen(
    spike: float, usual_us: float, shown: int, noise: float
) -> None:
    axes = Axes()
    series = points(usual_us, usual_us * spike)
    for _ in range(shown - 1):
        series += points(usual_us * noise)
        # As long as it is on show its top is.
        assert axes.fit([series], shown).p99_us >= usual_us * spike
    series += points(usual_us * noise)
    needed = max(1.0, usual_us * noise * HEADROOM)
    assert axes.fit([series], shown).p99_us <= needed * 2.5 * MAX_OVERSIZE
    for _ in range(SHRINK_AFTER):
        top = axes.fit([series], shown).p99_us
    assert top <= needed * 2.5


def test_axes_look_back_as_far_as_is_on_show() -> None:
    history = ViewBuilder()
    history.set_visible_points(4)
    # Points of half a second, of two frames each: the spike is in the first of them.
    for seq in range(3, 15):
        us = 2_000_000 if seq == 3 else 400
        history.add(frame(seq, LaneFrame("mysql", LaneState.RACING, work(us))))
        assert (shown(history).axis.p99_us > 1_000_000) == (seq < 3 + 4 * 2), seq


# ------------------------------------------------------------ lanes released one by one


def test_a_lane_that_is_done_stands_as_it_was_while_others_race_on() -> None:
    history = ViewBuilder()
    idle = RoleStats(interval_s=INTERVAL_S)
    for seq in range(60):
        over = seq >= 30
        first = LaneFrame(
            "mysql",
            LaneState.DONE if over else LaneState.RACING,
            idle if over else work(2_000),
            idle if over else work(100, rows=30),
            CacheStats(),
        )
        second = LaneFrame("cached", LaneState.RACING, work(1_000), work(50))
        history.add(frame(seq, first, second))
        if seq == 29:
            before = shown(history).lanes[0]
    mysql, cached = shown(history).lanes
    assert (mysql.state, cached.state) == (LaneState.DONE, LaneState.RACING)
    # Not a lane of no rows per second, half a minute after it was far ahead.
    assert mysql.read.rows_per_s > 0
    assert mysql.read.p99_us == before.read.p99_us
    assert [lane.ranks["read"].position for lane in shown(history).lanes] == [1, 2]
    # Its chart says when it ended.
    assert mysql.points[-1].read_rows_per_s == 0
    assert len(mysql.points) == len(cached.points)


# ------------------------------------------------------------ heats


def at(begun: int | None) -> ViewBuilder:
    history = ViewBuilder(heats=True)
    for one in heats(begun=begun):
        history.add(one)
    return history


def means(lane: str, heat: int) -> tuple[float, float]:
    """Rows written and read per second in the lane's heat, from all of its measured frames."""
    rows = [0, 0]
    length_s = 0.0
    for one in heats():
        part = next(part for part in one.lanes if part.lane == lane)
        if part.heat == heat and one.elapsed_s and part.read.interval_s:
            rows[0] += part.write.rows
            rows[1] += part.read.rows
            length_s += part.read.interval_s
    return rows[0] / length_s, rows[1] / length_s


def test_first_heat_has_no_rivals() -> None:
    view = shown(at(1))
    mysql, cached, durable = view.lanes
    assert (view.current_heat and (view.current_heat.round, view.current_heat.lane)) == (1, "mysql")
    # First of one is no place.
    assert {place.position for place in mysql.ranks.values()} == {None}
    for lane in (cached, durable):
        assert lane.waiting
        assert not lane.comparable
        assert {place.position for place in lane.ranks.values()} == {None}
        assert lane.read.p99_us is None


def test_a_lane_that_rests_keeps_its_last_heat() -> None:
    view = shown(at(3))
    mysql, cached, durable = view.lanes
    assert (view.current_heat and (view.current_heat.round, view.current_heat.lane)) == (
        1,
        "durable",
    )
    assert mysql.waiting
    assert cached.waiting
    assert not durable.waiting
    for lane in (mysql, cached):
        write, read = means(lane.lane, 1)
        assert lane.write.window_rows_per_s == pytest.approx(write)
        assert lane.read.rows_per_s == pytest.approx(read)
        assert lane.read.p99_us
        assert lane.points[-1].read_rows_per_s > 0
    # Every lane has a place: those of the profiles that the frames are made from.
    assert [lane.ranks["read"].position for lane in view.lanes] == [3, 2, 1]
    gap = cached.ranks["read"].factor
    assert gap == pytest.approx(durable.read.window_rows_per_s / cached.read.window_rows_per_s)


def test_the_next_heat_takes_the_place_of_the_last() -> None:
    history = at(4)
    lane = shown(history).lanes[1]
    assert lane.lane == "cached"
    rows = sum(
        part.read.rows
        for one in heats(begun=4)
        for part in one.lanes
        if part.lane == "cached" and part.heat == 2 and part.state is LaneState.RACING
    )
    assert lane.read.rows == rows
    # And its chart begins with it: 10 intervals in points of two.
    assert len(lane.points) <= 6


def test_in_the_end_they_stand_side_by_side() -> None:
    view = shown(at(None))
    for lane in view.lanes:
        assert lane.state is LaneState.DONE
        write, read = means(lane.lane, 2)
        assert lane.write.window_rows_per_s == pytest.approx(write)
        assert lane.read.window_rows_per_s == pytest.approx(read)
        assert lane.read.rows_per_s == pytest.approx(read)
        assert lane.ranks["read"].factor is not None


def test_together_nothing_waits() -> None:
    history = ViewBuilder()
    for one in usual():
        history.add(one)
    view = shown(history)
    assert view.current_heat is None
    assert not any(lane.waiting for lane in view.lanes)
    assert all(lane.comparable for lane in view.lanes)
    assert all(lane.read.response_p99_us is None for lane in view.lanes)


def test_what_warms_a_lane_up_is_not_shown_while_it_waits() -> None:
    """All lanes warm up before the first heat, together: one that waits then must not look as if it raced."""
    history = ViewBuilder(heats=True)
    for seq in range(4):
        warm = LaneFrame("durable", LaneState.WARMING, work(2_000), work(100), CacheStats(hits=5))
        history.add(frame(seq, warm))
    assert only(history).hit_ratio == 1.0
    history.add(frame(4, LaneFrame("durable", LaneState.STARTING)))
    lane = only(history)
    assert lane.waiting
    assert lane.points == ()
    assert lane.hit_ratio is None
