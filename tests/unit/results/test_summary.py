"""Totals of frames, and the objects made of them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines import __version__
from engines.config.race_config import RaceConfig
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, Frame, LaneFrame, LaneState
from engines.metrics.merge import merge
from engines.metrics.node_counts import NodeComparison, NodeCounts
from engines.metrics.scheduling_delay import SchedulingDelay
from engines.metrics.stats import CacheStats, ClientStats, IntervalStats, RoleStats
from engines.model.caveats import NoSuccess, UnreadableCounters, VolatileStorage
from engines.model.controls import Batch, Pause, Rate, Release, describe
from engines.model.environment import RaceEnvironment
from engines.model.server_facts import TRANSACTION_IDS, ServerFacts, TlsMode
from engines.results.result_json import frame_json, result_document
from engines.results.summary import CHANGES_KEPT, Summary
from tests.support.frames import CACHED, MYSQL, frame, latencies, work

RACING, WARMING = LaneState.RACING, LaneState.WARMING


def summed(*frames: Frame, settings: RaceConfig | None = None) -> Summary:
    summary = Summary(
        settings or RaceConfig(lanes=("mysql", "cached")), (MYSQL, CACHED), RaceEnvironment()
    )
    for each in frames:
        summary.add(each)
    return summary


def lane_of(summary: Summary, lane: str = "mysql") -> LaneFrame:
    return next(part for part in summary.lanes() if part.lane == lane)


def test_rates_are_counts_over_the_time_that_the_engines_measured() -> None:
    summary = summed(
        frame(0, 1.0, LaneFrame("mysql", RACING, write=work([5] * 30, rows_each=100))),
        frame(
            1,
            2.5,
            LaneFrame("mysql", LaneState.DONE, write=work([5] * 20, rows_each=100, interval_s=1.5)),
            interval_s=1.5,
        ),
    )
    lane = lane_of(summary)
    assert (lane.write.rows, lane.write.operations, lane.write.interval_s) == (5000, 50, 2.5)
    assert lane.write.rows_per_s == 2000.0
    assert summary.duration_s == 2.5
    assert lane.state is LaneState.DONE


def test_what_happens_while_warming_counts_for_nothing() -> None:
    measured = LaneFrame("mysql", RACING, read=work([10] * 10), reconnects=1)
    summary = summed(
        frame(0, 0.0, LaneFrame("mysql", WARMING, read=work([900] * 70, errors={"x": 3}))),
        # A lane that has a state of its own during the warm-up is warming all the same.
        frame(
            1, 0.0, LaneFrame("mysql", LaneState.RECONNECTING, read=work([900] * 5), reconnects=9)
        ),
        # One that warms up longer than the rest does not count yet.
        frame(2, 1.0, LaneFrame("mysql", WARMING, read=work([900] * 70), redirects=7)),
        frame(3, 2.0, measured),
    )
    lane = lane_of(summary)
    assert (lane.read.operations, lane.read.failed, lane.read.interval_s) == (10, 0, 1.0)
    assert (lane.redirects, lane.reconnects) == (0, 1)
    assert lane.read.service.max_us == 10.0


def test_time_that_a_lane_is_down_lowers_its_rate_and_time_that_it_is_paused_does_not() -> None:
    racing = LaneFrame("mysql", RACING, write=work([5] * 100))
    down = LaneFrame("mysql", LaneState.DOWN)
    paused = LaneFrame("mysql", LaneState.PAUSED, write=work(), read=work())
    assert lane_of(summed(frame(0, 1.0, racing), frame(1, 2.0, down))).write.rows_per_s == 50.0
    assert lane_of(summed(frame(0, 1.0, racing), frame(1, 2.0, paused))).write.rows_per_s == 100.0
    # The interval in which the pause began did work.
    partly = replace(paused, write=work([5] * 50))
    assert lane_of(summed(frame(0, 1.0, racing), frame(1, 2.0, partly))).write.rows_per_s == 75.0
    # An engine that was late is not gone: its next report covers both intervals.
    late = LaneFrame("mysql", RACING)
    both = LaneFrame("mysql", RACING, write=work([5] * 100, interval_s=2.0))
    assert lane_of(summed(frame(0, 1.0, late), frame(1, 2.0, both))).write.rows_per_s == 50.0


def test_errors_add_up_by_kind_and_keep_to_their_own_histogram() -> None:
    first = work([10], errors={"redis_moved": 2, "engine_died": 1}, failures_us=[50, 70])
    second = work([20], errors={"redis_moved": 3}, failures_us=[90])
    lane = lane_of(
        summed(
            frame(0, 1.0, LaneFrame("mysql", RACING, read=first)),
            frame(1, 2.0, LaneFrame("mysql", RACING, read=second)),
        )
    )
    assert lane.read.errors == {"redis_moved": 5, "engine_died": 1}
    assert (lane.read.service.count, lane.read.failures.count) == (2, 3)
    assert (lane.read.failures.min_us, lane.read.failures.max_us) == (50.0, 90.0)


def test_cache_counts_and_the_servers_last_word() -> None:
    lane = lane_of(
        summed(
            frame(
                0,
                1.0,
                LaneFrame(
                    "cached", RACING, cache=CacheStats(5, 3, 2, 1, 4), redirects=1, server={"a": 1}
                ),
            ),
            frame(
                1,
                2.0,
                LaneFrame(
                    "cached", RACING, cache=CacheStats(7, 1, 1, 0, 2), redirects=2, server={"a": 9}
                ),
            ),
            frame(2, 3.0, LaneFrame("cached", LaneState.DOWN)),
        ),
        "cached",
    )
    assert lane.cache == CacheStats(hits=12, misses=4, fills=3, duplicate_fills=1, skipped=6)
    assert lane.redirects == 3
    assert lane.server == {"a": 9}


def test_the_client_is_judged_over_the_whole_race() -> None:
    calm = ClientStats(cpu_share=0.5, loop_lag=latencies([100.0] * 99))
    busy = ClientStats(cpu_share=0.95, loop_lag=latencies([100.0]))
    summary = summed(
        frame(0, 3.0, LaneFrame("mysql", RACING, client=calm), interval_s=3.0),
        frame(1, 4.0, LaneFrame("mysql", RACING, client=busy)),
    )
    assert lane_of(summary).client.cpu_share == pytest.approx((3 * 0.5 + 0.95) / 4)
    assert not lane_of(summary).client.client_bound
    result = result_document(summary)
    assert result["lanes"][0]["client"] == {  # type: ignore[index]
        "cpu_share": 0.613,
        "loop_lag_p99_us": 100.0,
        "own_lag_p99_us": 0.0,
        "client_bound": False,
        "client_bound_by": None,
        "client_bound_share": 0.25,
    }
    assert summary.notes() == ("cached: a cold cache",)
    lag = latencies([2100.0] * 100)
    slow = ClientStats(cpu_share=0.1, loop_lag=lag, cpu_loop_lag=lag)
    summary.add(frame(2, 5.0, LaneFrame("mysql", RACING, client=slow)))
    assert lane_of(summary).client.client_bound
    assert any(
        note.startswith("mysql: client-bound (loop lag p99 2.1 ms)") for note in summary.notes()
    )
    result = result_document(summary)
    assert result["lanes"][0]["client"]["client_bound_by"] == "loop lag p99 2.1 ms"  # type: ignore[index]


def test_an_engine_that_waits_for_a_processor_is_not_what_limits_its_lane() -> None:
    waiting = ClientStats(loop_lag=latencies([2100.0] * 100), cpu_loop_lag=latencies([40.0] * 100))
    summary = summed(frame(0, 1.0, LaneFrame("mysql", RACING, client=waiting)))
    assert not lane_of(summary).client.client_bound
    (note,) = (note for note in summary.notes() if note.startswith("mysql: "))
    assert note.startswith("mysql: short of processors")
    assert "2.1 ms" in note


def test_what_telemon_waited_for_a_processor_is_said_where_it_is_a_good_part_of_a_latency() -> None:
    reads = replace(work([100.0, 300.0]), scheduling_delay=SchedulingDelay(50_000_000, 1_000))
    writes = replace(work([1_000.0]), scheduling_delay=SchedulingDelay(190_000, 1))
    summary = summed(
        frame(0, 1.0, LaneFrame("mysql", RACING, write=writes, read=reads)),
        frame(1, 2.0, LaneFrame("mysql", RACING, write=writes, read=reads)),
    )
    (note,) = (note for note in summary.notes() if note.startswith("mysql: "))
    assert note == (
        "mysql: short of processors: telemon had to wait for one, on average 50 us in a read of 200 us: latencies say "
        "as much of this machine as of the servers"
    )
    shown: Any = result_document(summary)
    lane = shown["lanes"][0]
    assert (lane["read"]["processor_wait_us"], lane["write"]["processor_wait_us"]) == (50.0, 190.0)
    # A fifth is the limit, and without values there is none.
    assert not replace(work([100.0]), scheduling_delay=SchedulingDelay(20_000, 1)).cpu_contention
    assert replace(work([100.0]), scheduling_delay=SchedulingDelay(20_001, 1)).cpu_contention
    assert not replace(RoleStats(), scheduling_delay=SchedulingDelay(20_001, 1)).cpu_contention
    assert not work([100.0]).cpu_contention


def test_what_makes_a_lane_client_bound_is_named_with_its_value() -> None:
    lag = latencies([1_600.0] * 100)
    assert (
        ClientStats(cpu_share=0.85, loop_lag=lag, cpu_loop_lag=latencies([1_000.0])).bound_by == ""
    )
    # Two replies that waited are chance, three are not.
    rare = latencies([40.0] * 60 + [1_600.0] * 2)
    assert ClientStats(loop_lag=rare, cpu_loop_lag=rare).bound_by == ""
    often = latencies([40.0] * 60 + [1_600.0] * 3)
    assert ClientStats(loop_lag=often, cpu_loop_lag=often).bound_by == "loop lag p99 1.6 ms"
    assert ClientStats(cpu_share=0.914).bound_by == "cpu 91 % of a core"
    both = ClientStats(cpu_share=0.9, loop_lag=lag, cpu_loop_lag=lag)
    assert both.bound_by == "cpu 90 % of a core and loop lag p99 1.6 ms"
    assert not both.cpu_contention


def test_a_note_for_all_lanes_is_said_once() -> None:
    tmpfs = "data on tmpfs: memory, not a disk, so a commit costs nothing here"
    lane_infos = [
        replace(lane_info, notes=(tmpfs, *lane_info.notes)) for lane_info in (MYSQL, CACHED)
    ]
    summary = Summary(
        RaceConfig(),
        lane_infos,
        RaceEnvironment(file_system="tmpfs", caveats=(VolatileStorage("tmpfs"),)),
    )
    assert summary.notes() == (tmpfs, "cached: a cold cache")


def test_unanswered_lanes() -> None:
    summary = summed(
        frame(0, 0.0, LaneFrame("mysql", WARMING), LaneFrame("cached", WARMING, read=work([1]))),
        frame(1, 1.0, LaneFrame("mysql", RACING, write=work(errors={"mysql_2003": 7}))),
    )
    assert summary.unanswered == ("mysql",)
    summary.add(frame(2, 2.0, LaneFrame("mysql", RACING, write=work([1]))))
    assert not summary.unanswered


def test_a_role_that_raced_without_a_success_is_unanswered() -> None:
    idle = RoleStats(interval_s=1.0)
    summary = summed(
        frame(0, 1.0, LaneFrame("mysql", RACING, work([1]), idle), LaneFrame("cached", RACING)),
        settings=RaceConfig(lanes=("mysql", "cached")),
    )
    # The other role of a lane may have no connections, and a lane without any success is named as such.
    assert summary.unanswered_roles == (("mysql", "read"),)
    assert summary.unanswered == ("cached",)
    assert NoSuccess("mysql", "read", earlier=False) in summary.caveats()
    wrong = replace(work([1]), wrong_content=1)
    summary.add(frame(1, 2.0, LaneFrame("mysql", RACING, work([1]), wrong)))
    assert summary.unanswered_roles == (("mysql", "read"),)
    summary.add(frame(2, 3.0, LaneFrame("mysql", RACING, work([1]), work([1]))))
    assert not summary.unanswered_roles
    assert not [each for each in summary.caveats() if isinstance(each, NoSuccess)]


def test_a_role_that_had_a_success_before_the_measured_time_is_not_unanswered() -> None:
    stuck = RoleStats(interval_s=1.0)
    warm = frame(0, 0.0, LaneFrame("mysql", WARMING, work([1]), work([1])))
    measured = frame(1, 1.0, LaneFrame("mysql", RACING, stuck, work([1])))
    for summary in (summed(warm), summed(warm).restarted()):
        summary.add(measured)
        assert not summary.unanswered_roles
        assert NoSuccess("mysql", "write", earlier=True) in summary.caveats()


def test_the_result_object() -> None:
    values_us = [float(value) for value in range(1, 101)]
    settings = RaceConfig(lanes=("mysql", "cached"), writers=2, readers=3, seed=7, duration_s=2.0)
    unreadable = (
        "lane mysql: its servers' own counters cannot be read (denied); `telemon doctor` says why"
    )
    environment = RaceEnvironment(
        file_system="ext4", caveats=(UnreadableCounters("mysql", "denied"),)
    )
    summary = Summary(settings, (MYSQL, CACHED), environment)
    summary.add(frame(0, 0.0, LaneFrame("mysql", WARMING), LaneFrame("cached", WARMING)))
    summary.add(
        frame(
            1,
            1.0,
            LaneFrame("mysql", RACING, write=work(values_us, rows_each=10)),
            LaneFrame("cached", RACING, read=work([40.0]), cache=CacheStats(hits=2, misses=1)),
        )
    )
    result = json.loads(json.dumps(result_document(summary), allow_nan=False))
    lanes = result.pop("lanes")
    assert result == {
        "schema": 1,
        "telemon": __version__,
        "started_at": "2022-08-23T09:00:00.000Z",
        "duration_s": 1.0,
        "warmup_s": 2.0,
        "settings": settings.to_json(),
        "changes": [],
        "changes_left_out": 0,
        "deaths": [],
        "heats": None,
        "fairness": {
            "file_system": "ext4",
            "shared_servers": [],
            "preset": "fair",
            "mode": "saturate",
            "rate_per_s": None,
            "rounds": None,
            "connections": {"writers": 2, "readers": 3},
            "processes": 1,
            "batch": 100,
            "pipeline_depth": {
                "mysql": {"write": 1, "read": 1},
                "cached": {"write": 1, "read": 1},
            },
            "keys": {"shape": "uniform"},
            "ttl_s": 120.0,
            "ttl_jitter": 0.0,
            "cache_start": "cold",
            "seed": 7,
            "notes": [unreadable, "cached: a cold cache"],
        },
    }
    mysql, cached = lanes
    assert (mysql["id"], mysql["title"], mysql["state"]) == ("mysql", "MySQL", "racing")
    assert (mysql["redirects"], mysql["reconnects"]) == (0, 0)
    assert mysql["write"] == {
        "rows": 1000,
        "rows_per_s": 1000.0,
        "operations": 100,
        "measured_s": 1.0,
        "errors": {},
        # Upper bounds of buckets: at most 0.8 % above the true 50, 90, 99 and 100 us.
        "service_us": {
            "min": 1.0,
            "mean": 50.5,
            "p50": pytest.approx(50, rel=0.008),
            "p90": pytest.approx(90, rel=0.008),
            "p99": pytest.approx(99, rel=0.008),
            "p999": 100.0,
            "max": 100.0,
        },
        "response_us": None,
        "failures_us": None,
        "processor_wait_us": None,
        "floor_us": None,
    }
    assert (mysql["pace"], mysql["heats"], mysql["reconciliation"]) == (None, None, None)
    assert mysql["server"] == {
        "product": "MariaDB",
        "version": "10.11.6",
        "durability": "log flushed to disk at every commit",
        "notes": [],
        "counters": {},
    }
    nothing = dict.fromkeys(("min", "mean", "p50", "p90", "p99", "p999", "max"), 0.0)
    assert cached["write"]["service_us"] == nothing
    assert cached["write"]["rows_per_s"] == 0.0
    read = cached["read"]
    assert (read["hits"], read["misses"], read["fills"], read["hit_ratio"]) == (2, 1, 0, 0.6667)
    assert mysql["read"]["hit_ratio"] is None


def test_response_times_are_kept_where_there_are_any() -> None:
    part = work([10], response=latencies([30.0]))
    lane = LaneFrame("mysql", RACING, write=part)
    result = result_document(summed(frame(0, 1.0, lane), frame(1, 2.0, lane)))
    written = result["lanes"][0]["write"]  # type: ignore[index]
    assert written["response_us"]["max"] == 30.0
    assert written["service_us"]["max"] == 10.0


def test_a_frame_as_an_object() -> None:
    shown = frame_json(
        replace(
            frame(4, 2.0, LaneFrame("mysql", RACING, read=work([3.0], interval_s=0.5))),
            events=(Event(1_661_245_203.25, "mysql", "racing again\x1b[0m"),),
        )
    )
    lanes = shown.pop("lanes")
    assert shown == {
        "seq": 4,
        "at": "2022-08-23T09:00:05.000Z",
        "interval_s": 1.0,
        "elapsed_s": 2.0,
        "events": [
            {"at": "2022-08-23T09:00:03.250Z", "lane": "mysql", "text": "racing again\x1b[0m"}
        ],
    }
    assert lanes[0]["heat"] == 0  # type: ignore[index]
    assert lanes[0]["id"] == "mysql"  # type: ignore[index]
    assert lanes[0]["read"]["rows_per_s"] == 2.0  # type: ignore[index]


def test_a_race_without_a_measured_frame_has_a_result() -> None:
    assert result_document(summed())["duration_s"] == 0.0
    assert summed().unanswered == ("mysql", "cached")


def test_an_open_loop_s_offer_is_held_within_one_percent_or_not() -> None:
    settings = RaceConfig(lanes=("mysql",), mode="pace", rate_per_s=1_000.0, readers=0)
    for done, held in ((991, True), (1_009, True), (985, False)):
        part = work([5.0] * done, response=latencies([9.0] * done))
        summary = Summary(settings, (MYSQL,), RaceEnvironment())
        busy = LaneFrame("mysql", RACING, write=part, backlog={"write": 40, "read": 0}, late=3)
        summary.add(frame(0, 1.0, busy))
        last = replace(
            busy, write=work(interval_s=0.0), state=LaneState.DONE, backlog={"write": 0, "read": 0}
        )
        summary.add(frame(1, 1.0, last))
        pace = result_document(summary)["lanes"][0]["pace"]  # type: ignore[index]
        assert pace["write"]["held"] is held
        assert pace["write"]["offered_per_s"] == 1_000.0
        assert pace["write"]["achieved_per_s"] == done
        assert pace["write"]["off_percent"] == round((done - 1000) / 10, 2)
        # A frame in which nobody measured anything says nothing of the backlog at the end.
        assert (pace["write"]["backlog_end"], pace["write"]["backlog_max"]) == (40, 40)
        assert (pace["late"], pace["overloaded"]) == (6, False)
        assert "read" not in pace


def test_an_offer_is_held_to_the_time_in_which_operations_were_due() -> None:
    settings = RaceConfig(
        lanes=("mysql",), mode="pace", rate_per_s=1_000.0, readers=0, duration_s=1.0, warmup_s=0.0
    )
    # In 1.03 s, of which 1 s was asked for, between 1,000 and 1,030 operations were due.
    for done, held, off in (
        (1_000, True, 0.0),
        (1_030, True, 0.0),
        (985, False, -1.5),
        (1_045, False, 1.5),
    ):
        part = work([5.0] * done, response=latencies([9.0] * done), interval_s=1.03)
        summary = Summary(settings, (MYSQL,), RaceEnvironment())
        summary.add(frame(0, 1.03, LaneFrame("mysql", RACING, write=part)))
        pace = result_document(summary)["lanes"][0]["pace"]  # type: ignore[index]
        assert (pace["write"]["held"], pace["write"]["off_percent"]) == (held, off)


def test_after_a_change_of_the_rate_no_single_rate_was_offered() -> None:
    settings = RaceConfig(lanes=("mysql",), mode="pace", rate_per_s=100.0, readers=0)
    part = work([5.0] * 50, response=latencies([9.0] * 50))
    for control, rate in ((Rate(50.0), None), (Pause(), None), (Batch(7), 100.0)):
        summary = Summary(settings, (MYSQL,), RaceEnvironment())
        changed = Event(1_661_245_203.25, None, describe(control), control=control)
        lane = LaneFrame("mysql", RACING, write=part, backlog={"write": 0})
        summary.add(replace(frame(0, 1.0, lane), events=(changed,)))
        result = result_document(summary)
        pace = result["lanes"][0]["pace"]  # type: ignore[index]
        assert pace["write"]["offered_per_s"] == rate
        assert (pace["write"]["held"] is None) == (rate is None)
        assert result["changes"] == [
            {"at": "2022-08-23T09:00:03.250Z", "elapsed_s": 1.0, "text": describe(control)}
        ]


def test_overload_is_said() -> None:
    lane = LaneFrame("mysql", RACING, write=work([5.0]), backlog={"write": 1_234}, overloaded=True)
    calm = replace(lane, overloaded=False, backlog={"write": 3})
    summary = summed(frame(0, 1.0, lane), frame(1, 2.0, calm))
    assert any(note.startswith("mysql: overloaded") and "1,234" in note for note in summary.notes())
    assert not any("overloaded" in note for note in summed(frame(0, 1.0, calm)).notes())


def test_changes_are_kept_up_to_a_number() -> None:
    events = tuple(
        Event(float(n), None, f"batch: {n} rows", control=Batch(n)) for n in range(CHANGES_KEPT + 3)
    )
    result = result_document(summed(replace(frame(0, 1.0), events=events)))
    assert len(result["changes"]) == CHANGES_KEPT  # type: ignore[arg-type]
    assert result["changes_left_out"] == 3


def test_a_change_of_the_rate_counts_though_too_many_changes_came_before_it() -> None:
    settings = RaceConfig(lanes=("mysql",), mode="pace", rate_per_s=100.0, readers=0)
    batch, pace = Batch(7), Rate(50.0)
    events = [Event(1.0, None, describe(batch), control=batch) for _ in range(CHANGES_KEPT)]
    events.append(Event(1.0, None, describe(pace), control=pace))
    lane = LaneFrame("mysql", RACING, write=work([5.0], response=latencies([9.0])))
    summary = Summary(settings, (MYSQL,), RaceEnvironment())
    summary.add(replace(frame(0, 1.0, lane), events=tuple(events)))
    assert summary.offered_loads("mysql")["write"].offered_per_s is None
    # What was asked of the race is not forgotten when it counts from zero.
    summary = summary.restarted()
    summary.add(frame(1, 2.0, lane))
    assert summary.offered_loads("mysql")["write"].offered_per_s is None


def heat(number: int, lane: str, *values_us: float, state: LaneState = RACING) -> LaneFrame:
    return LaneFrame(lane, state, read=work(values_us), heat=number)


def test_heats_are_kept_by_lane_and_round_and_a_round_holds_all_of_its_frames() -> None:
    settings = RaceConfig(lanes=("mysql", "cached"), heats=True, rounds=2)
    rest = LaneFrame("cached", LaneState.STARTING)
    over = LaneFrame("cached", LaneState.DONE, heat=1)
    summary = summed(
        frame(0, 0.0, heat(1, "mysql", 900.0, state=WARMING), rest),
        frame(1, 1.0, heat(1, "mysql", 100.0, 200.0), rest),
        # The heat was over before its last frame was.
        frame(2, 2.6, heat(1, "mysql", 300.0, 400.0), rest),
        frame(3, 0.0, LaneFrame("mysql", LaneState.STARTING, heat=1), rest),
        frame(4, 1.0, heat(1, "cached", 7.0), LaneFrame("mysql", LaneState.STARTING, heat=1)),
        frame(5, 1.0, heat(2, "mysql", 500.0), over),
        settings=settings,
    )
    result = result_document(summary)
    assert result["heats"] == {
        "rounds": 2,
        "order": [
            {"round": 1, "lane": "mysql"},
            {"round": 1, "lane": "cached"},
            {"round": 2, "lane": "mysql"},
        ],
    }
    assert result["duration_s"] == 2.0
    mysql, cached = (lane["heats"] for lane in result["lanes"])  # type: ignore[attr-defined]
    first, second = mysql["rounds"]
    assert (first["round"], first["read"]["measured_s"], first["read"]["rows"]) == (1, 2.0, 4)
    assert first["read"]["rows_per_s"] == 2.0
    assert first["read"]["p50_us"] == pytest.approx(200, rel=0.008)
    assert first["read"]["p99_us"] == 400.0
    assert (second["read"]["rows_per_s"], second["read"]["p99_us"]) == (1.0, 500.0)
    # Two rounds of 2 s and 1 s: 5 rows in 3 s, and not the mean of their rates.
    assert mysql["spread"]["read"]["rows_per_s"] == {"min": 1.0, "merged": 1.7, "max": 2.0}
    assert mysql["spread"]["read"]["p99_us"] == {"min": 400.0, "merged": 500.0, "max": 500.0}
    assert "p50_us" not in mysql["spread"]["write"]
    assert first["write"]["p50_us"] is None
    # A closed loop has no response times.
    assert first["read"]["response_p99_us"] is None
    assert "response_p99_us" not in mysql["spread"]["read"]
    assert [each["round"] for each in cached["rounds"]] == [1]
    assert lane_of(summary, "cached").read.interval_s == 1.0


def test_a_percentile_over_rounds_is_one_of_all_that_was_measured() -> None:
    """A quiet round has 99 operations of 1 ms, a bad one 9 of 100 ms: the median is 1 ms and the p99 100 ms.

    Between the rounds' own medians there is no number that any operation took.
    """
    settings = RaceConfig(lanes=("mysql",), heats=True, rounds=2)
    rounds = ([1_000.0] * 99, [100_000.0] * 9)
    frames = [
        frame(
            number,
            1.0,
            replace(
                heat(number + 1, "mysql"),
                read=work(values, response=latencies([2 * value for value in values])),
            ),
        )
        for number, values in enumerate(rounds)
    ]
    summary = summed(*frames, settings=settings)
    lane = result_document(summary)["lanes"][0]  # type: ignore[index]
    spread = lane["heats"]["spread"]["read"]
    near = pytest.approx
    assert spread["p50_us"] == {
        "min": 1_000.0,
        "merged": near(1_000.0, rel=0.008),
        "max": 100_000.0,
    }
    assert spread["p99_us"] == {"min": 1_000.0, "merged": 100_000.0, "max": 100_000.0}
    assert spread["rows_per_s"] == {"min": 9.0, "merged": 54.0, "max": 99.0}
    assert spread["response_p50_us"]["merged"] == near(2_000.0, rel=0.008)
    assert (spread["response_p99_us"]["min"], spread["response_p99_us"]["max"]) == (2e3, 2e5)
    # It is the figure that the result has everywhere else.
    assert lane["read"]["service_us"]["p50"] == spread["p50_us"]["merged"]
    assert lane["read"]["response_us"]["p99"] == spread["response_p99_us"]["merged"]


def test_a_lane_that_is_down_loses_the_time_of_its_own_heats_only() -> None:
    settings = RaceConfig(lanes=("mysql", "cached"), heats=True, rounds=1)
    half = LaneFrame("mysql", LaneState.DOWN, read=work([5.0]), heat=1)
    gone = LaneFrame("mysql", LaneState.DOWN, heat=1)
    summary = summed(
        frame(0, 1.0, half),
        frame(1, 1.0, gone, heat(1, "cached", 7.0)),
        settings=settings,
    )
    lane = lane_of(summary)
    assert (lane.write.interval_s, lane.read.interval_s) == (1.0, 1.0)


def test_what_no_result_shows_is_reconciled_all_the_same() -> None:
    """The warm-up, and what was measured before the totals were reset."""
    first = work([1.0] * 4, rows_each=10)
    summary = summed(
        frame(0, 0.0, LaneFrame("mysql", WARMING, write=work([1.0] * 7, rows_each=10))),
        frame(1, 1.0, LaneFrame("mysql", RACING, write=first)),
    ).restarted()
    server = {"Com_insert": 16, "Handler_write": 160, "Com_commit": 0, "Com_select": 0}
    server[TRANSACTION_IDS] = 32
    summary.add(
        frame(
            2, 1.0, LaneFrame("mysql", RACING, write=work([1.0] * 3, rows_each=10), server=server)
        )
    )
    assert lane_of(summary).write.rows == 30
    # Nine operations began in the warm-up: two of them ended after it.
    warm = {"write": IntervalStats(RoleStats(operations=9, rows=90), CacheStats())}
    summary.reconcile_with_servers(ClosingCounts(warm={"mysql": warm}))  # type: ignore[dict-item]
    assert summary.reconciliations["mysql"].verdict == "reconciled"
    result = result_document(summary)["lanes"][0]["reconciliation"]  # type: ignore[index]
    assert result["reconciled"] is True
    assert {
        "what": "rows",
        "counter": "Handler_write",
        "telemon": 160,
        "servers": 160,
        "shard": None,
    } in result["checks"]
    summary.reconcile_with_servers(ClosingCounts())
    assert not summary.reconciliations["mysql"].reconciled
    assert "upserts 7 here and 16 there" in summary.reconciliations["mysql"].verdict


def test_the_floor_stands_in_the_result() -> None:
    lane_info = replace(MYSQL, overhead_us={"read": 24.96})
    summary = Summary(RaceConfig(lanes=("mysql",)), (lane_info,), RaceEnvironment())
    lane = result_document(summary)["lanes"][0]  # type: ignore[index]
    assert (lane["read"]["floor_us"], lane["write"]["floor_us"]) == (25.0, None)


intervals = st.lists(
    st.tuples(
        st.lists(st.integers(1, 10**7), max_size=20),
        st.floats(0.001, 10.0, allow_nan=False),
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=8,
)


@given(parts=intervals)
def test_the_sum_of_frames_is_the_merge_of_their_work(
    parts: list[tuple[list[int], float, dict[str, int]]],
) -> None:
    works = [
        work(values_us, interval_s=interval_s, errors=errors)
        for values_us, interval_s, errors in parts
    ]
    summary = summed(
        *(frame(n, n + 1.0, LaneFrame("mysql", RACING, read=w)) for n, w in enumerate(works))
    )
    total = lane_of(summary).read
    expected = merge(RoleStats, works, interval_s=total.interval_s)
    assert replace(total, errors={}) == replace(expected, errors={})
    assert total.errors == expected.errors
    assert total.interval_s == pytest.approx(sum(interval_s for _, interval_s, _ in parts))
    every_us = sorted(value for values_us, _, _ in parts for value in values_us)
    if every_us:
        for percent in (50.0, 99.0):
            true_us = every_us[ceil(len(every_us) * percent / 100) - 1]
            assert true_us <= total.service.percentile_us(percent) <= true_us * 1.008


def size_bytes(thing: object, seen: set[int]) -> int:
    """Return the bytes of an object of this project with everything that it holds."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    inner: list[object] = []
    if isinstance(thing, dict):
        inner = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple):
        inner = list(thing)
    elif type(thing).__module__.startswith("engines"):
        slots = getattr(type(thing), "__slots__", ())
        inner = [getattr(thing, "__dict__", {}), *(getattr(thing, name) for name in slots)]
    return sys.getsizeof(thing) + sum(size_bytes(part, seen) for part in inner)


def test_a_summary_of_many_frames_is_as_large_as_one_of_few() -> None:
    lane = LaneFrame(
        "mysql",
        RACING,
        write=work(range(1, 500), errors={"x": 1}),
        cache=CacheStats(1, 1, 1, 1, 1),
        client=ClientStats(0.5, latencies([5, 6, 7])),
    )
    # From 257 on every count is an object of its own: the few are so many that theirs are too.
    few = summed(*(frame(n, n + 1.0, lane) for n in range(300)))
    many = summed(*(frame(n, n + 1.0, lane) for n in range(1200)))
    assert size_bytes(many, set()) < size_bytes(few, set()) * 1.02


def released(*asked: Release) -> Summary:
    """Lanes that raced for 3 and for 2 s of a race of 5 s."""
    frames = []
    for seq in range(5):
        lanes = [
            LaneFrame(lane, RACING, read=work([5] * 10)) if there else LaneFrame(lane, LaneState.STARTING)
            for lane, there in (("mysql", seq < 3), ("cached", seq >= 3))
        ]  # fmt: skip
        frames.append(frame(seq, seq + 1.0, *lanes))
    events = tuple(Event(0.0, None, describe(each), control=each) for each in asked)
    return summed(replace(frames[0], events=events), *frames[1:])


def test_lanes_that_were_released_one_by_one_are_said_to_be() -> None:
    summary = released(Release("mysql"), Release("cached"))
    assert summary.separate_durations_s == {"mysql": 3.0, "cached": 2.0}
    (note,) = [note for note in summary.notes() if "one by one" in note]
    assert "mysql 3.0 s, cached 2.0 s" in note
    # One, and then all the others.
    assert released(Release("mysql"), Release()).separate_durations_s
    # All at once, or never held.
    for together in (released(Release()), released()):
        assert together.separate_durations_s == {}
        assert not any("one by one" in note for note in together.notes())


def test_a_reconciliation_has_all_that_the_servers_and_the_race_told() -> None:
    shared = ServerFacts("database", "MariaDB", "1.2", 1, TlsMode.OFF, 100.0, {}, "the same")
    summary = Summary(
        RaceConfig(lanes=("mysql", "cached"), preset="deck"),
        (MYSQL, CACHED),
        RaceEnvironment(servers={"mysql": [shared], "cached": [shared]}),
    )
    server = {"Com_insert": 40, "Handler_write": 40, "Com_commit": 4, "Com_select": 7}
    racing = LaneFrame("mysql", RACING, write=work([1.0] * 4, rows_each=10), server=server)
    summary.add(frame(0, 1.0, racing))
    warm = {"read": IntervalStats(RoleStats(operations=5, rows=5), CacheStats(skipped=2))}
    node = NodeComparison("r:1", NodeCounts(sets=3), {"set_calls": 2})
    summary.reconcile_with_servers(
        ClosingCounts(warm={"mysql": warm}, node_comparisons={"mysql": [node]})  # type: ignore[dict-item]
    )
    found = summary.reconciliations["mysql"]
    assert found.lane == "mysql"
    assert [(check.what, check.ours, check.theirs) for check in found.checks] == [
        ("upserts", 40, 40),  # preset deck: a statement a row
        ("rows", 40, 40),
        ("commits", 4, 4),
        ("selects", 7, 7),
        ("sets", 3, 2),
    ]
    assert found.explanation == "lanes mysql and cached share one server, which counts for both"
    summary.environment.servers.clear()  # type: ignore[attr-defined]
    summary.reconcile_with_servers(
        ClosingCounts(counter_caveats={"mysql": ("a counter went back",)}, warm={"mysql": warm})  # type: ignore[dict-item]
    )
    found = summary.reconciliations["mysql"]
    assert (found.explanation, found.incomplete) == ("a counter went back", True)
    assert summary.reconciliations["cached"].lane == "cached"
    assert summary.reconciliations["cached"].checks == ()
