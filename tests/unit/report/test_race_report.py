"""What is said of each lane at the end. Every expected sentence follows from the made-up numbers by reasoning."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.config.race_config import RaceConfig
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, LaneFrame, LaneState
from engines.metrics.stats import CacheStats, ClientStats, RoleStats
from engines.model.controls import FlushCache, Pause, Rate, Ttl, describe
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LaneInfo
from engines.model.read_back import LostRow, ReadBack
from engines.results.summary import Summary
from tests.support.frames import CACHED, MYSQL, frame, latencies, work
from tui.draw.format import margin
from tui.report.race_report import TrustNote, build_report, lane_reports

DURABLE = LaneInfo(
    "durable", "Durable Redis", "all in Redis", "Redis Cluster of 3", "7.0", "always"
)
ENTRANTS = {"mysql": MYSQL, "cached": CACHED, "durable": DURABLE}

RACING = LaneState.RACING


def ended(*lanes: LaneFrame, events: tuple[Event, ...] = (), **settings: Any) -> Summary:
    """Return a race of one second in which the lanes did this."""
    names = tuple(lane.lane for lane in lanes)
    summary = Summary(
        RaceConfig(lanes=names, **settings),
        [ENTRANTS[name] for name in names],
        RaceEnvironment(),
    )
    summary.add(replace(frame(0, 1.0, *lanes), events=events))
    return summary


def of(summary: Summary, lane: str) -> str:
    """All that is said of a lane."""
    (found,) = [each for each in lane_reports(summary) if each.frame.lane == lane]
    return " ".join(found.findings)


def reading(lane: str, reads: int, us: float = 1_000.0, **more: Any) -> LaneFrame:
    """Return a lane that did so many reads of so many us in a second, and as many batches of ten rows."""
    return LaneFrame(
        lane, RACING, write=work([us] * reads, rows_each=10), read=work([us] * reads), **more
    )


def test_the_slower_lane_is_behind_by_the_factor_between_the_rates() -> None:
    summary = ended(reading("mysql", 200, 5_000.0), reading("durable", 500, 2_000.0))
    assert "2nd, 2.5x behind in reads with 200 rows/s" in of(summary, "mysql")
    assert "a read took 5.00 ms (median; p99 5.00 ms), Durable Redis's 2.00 ms" in of(
        summary, "mysql"
    )
    assert "1st, 2.5x ahead in writes with 5,000 rows/s: a batch of 10 rows took 2.00 ms" in of(
        summary, "durable"
    )
    # The leader is told by its own numbers.
    assert "MySQL's" not in of(summary, "durable")


@pytest.mark.parametrize(
    ("mine", "said_of_first", "said_of_second"),
    [
        (1_000, "Level with Durable Redis in reads", "Level with MySQL in reads"),
        (1_009, "Level with Durable Redis in reads", "Level with MySQL in reads"),
        (1_040, "1st, 4 % ahead in reads", "2nd, 4 % behind in reads"),
        (1_500, "1st, 1.5x ahead in reads", "2nd, 1.5x behind in reads"),
    ],
)
def test_a_small_gap_is_told_in_percent_and_a_tiny_one_is_none(
    mine: int, said_of_first: str, said_of_second: str
) -> None:
    summary = ended(reading("mysql", mine), reading("durable", 1_000))
    assert said_of_first in of(summary, "mysql")
    assert said_of_second in of(summary, "durable")


@given(st.floats(min_value=1.0, max_value=1e9))
def test_no_gap_is_ever_one_point_nought(factor: float) -> None:
    told = margin(factor)
    assert told not in ("1.0x", "0 %", "")
    match = re.fullmatch(r"([\d.]+)(x| %)", told)
    if match and match[2] == "x":
        assert float(match[1]) == pytest.approx(factor, rel=0.06)
    elif match:
        assert float(match[1]) == pytest.approx((factor - 1) * 100, abs=0.51)
    else:
        assert told in ("level", ">999x")


def test_three_lanes_are_each_measured_against_the_leader() -> None:
    summary = ended(reading("mysql", 100), reading("cached", 400), reading("durable", 200))
    assert "3rd, 4.0x behind in reads" in of(summary, "mysql")
    assert "1st, 2.0x ahead in reads" in of(summary, "cached")
    assert "2nd, 2.0x behind in reads" in of(summary, "durable")
    assert "MySQL + cache's" in of(summary, "durable")


def test_a_lane_alone_has_no_rank() -> None:
    told = of(ended(reading("mysql", 100)), "mysql")
    assert "It wrote 1,000 rows/s: a batch of 10 rows took" in told
    assert "It read 100 rows/s" in told
    assert not re.search(r"1st|ahead|behind|level|only lane", told)


def test_latencies_that_do_not_differ_are_not_called_the_reason() -> None:
    # Half as many reads of the same length: the time was lost between them.
    summary = ended(reading("mysql", 500, 1_000.0), reading("durable", 1_000, 1_000.0))
    assert "its latencies are not what it lost by" in of(summary, "mysql")
    # A tenth longer does not make half as many.
    summary = ended(reading("mysql", 500, 1_100.0), reading("durable", 1_000, 1_000.0))
    assert "explains a part of the gap only" in of(summary, "mysql")
    # The same median, but one in five takes ten times as long: 2.8 ms on average beside 1.
    slow = LaneFrame("mysql", RACING, read=work([1_000.0] * 80 + [10_000.0] * 20))
    told = of(ended(slow, LaneFrame("durable", RACING, read=work([1_000.0] * 280))), "mysql")
    assert "it lost by its slow ones: the mean is 2.80 ms, Durable Redis's 1.00 ms" in told
    # Twice as long makes half as many, and needs no word more.
    summary = ended(reading("mysql", 500, 2_000.0), reading("durable", 1_000, 1_000.0))
    assert not re.search("lost by|part of the gap", of(summary, "mysql"))


def test_few_operations_have_no_percentile() -> None:
    told = of(ended(reading("mysql", 9), reading("durable", 200)), "mysql")
    assert "the slowest 1.00 ms" in told
    assert "p99" not in told.partition("Durable Redis's")[0]


def test_a_lane_that_acknowledged_nothing_says_what_failed() -> None:
    dead = LaneFrame(
        "mysql",
        LaneState.DOWN,
        write=work(errors={"mysql_2003": 40, "mysql_2013": 2}),
        read=work(errors={"mysql_2003": 60}),
        reconnects=1,
    )
    summary = ended(dead, reading("durable", 100))
    told = of(summary, "mysql")
    assert told.startswith("It acknowledged nothing.")
    assert "102 operations failed: mysql_2003 100, mysql_2013 2." in told
    assert "It had to connect again once." in told
    assert told.endswith("It was down at the end.")
    # Nobody is ahead of a lane that did nothing.
    assert "The only lane that wrote with 1,000 rows/s" in of(summary, "durable")
    assert not re.search("ahead|inf|nan", of(summary, "durable"))


def test_a_role_that_failed_altogether_is_named_and_one_that_was_not_asked_for_is_not() -> None:
    half = LaneFrame("mysql", RACING, write=work(errors={"x": 1}), read=work([5.0] * 100))
    told = of(ended(half, reading("durable", 100)), "mysql")
    assert "It acknowledged no write." in told
    assert "1 operation failed: x 1." in told
    readers = LaneFrame("mysql", RACING, read=work([5.0] * 100))
    assert "write" not in of(ended(readers, reading("durable", 100), writers=0), "mysql")


def test_a_lane_without_a_connection_at_the_end_says_so() -> None:
    lost = replace(reading("mysql", 100), state=LaneState.RECONNECTING, reconnects=3)
    told = of(ended(lost), "mysql")
    assert "It had to connect again 3 times." in told
    assert "At the end it was without a connection that it needs." in told


@pytest.mark.parametrize(
    ("cache", "sentence"),
    [
        (CacheStats(hits=100), "The cache answered every one of its 100 reads."),
        (
            CacheStats(hits=99, misses=1, fills=1),
            "The cache answered 99.0 % of its reads; 1 miss went",
        ),
        (
            CacheStats(hits=0, misses=100, fills=100, duplicate_fills=7),
            "The cache answered 0.0 % of its reads; 100 misses went to MySQL, 7 of them for a car",
        ),
        # Only all of it is 100 %.
        (CacheStats(hits=99_999, misses=1), "The cache answered 99.9 % of its reads"),
    ],
)
def test_what_the_cache_did(cache: CacheStats, sentence: str) -> None:
    assert sentence in of(ended(reading("cached", 100, cache=cache)), "cached")


def test_keys_that_were_filled_again_are_told_only_where_that_is_certain() -> None:
    def told(cache: CacheStats, events: tuple[Event, ...] = (), **settings: Any) -> str:
        return of(ended(reading("cached", 100, cache=cache), events=events, **settings), "cached")

    # There are 1,001 cars to read: that many fills are one each.
    assert "filled again" not in told(CacheStats(misses=1_001, fills=1_001))
    assert "filled again: 1,002 fills for 1,001 cars, their time to live is 2 s" in told(
        CacheStats(misses=1_002, fills=1_002), ttl_s=2.0
    )
    # Two readers at once are not once more.
    assert "filled again" not in told(CacheStats(misses=1_010, fills=1_010, duplicate_fills=9))
    assert "filled again" not in told(CacheStats(misses=5_000, fills=5_000), processes=2)
    flush = Event(1.0, None, describe(FlushCache()), control=FlushCache())
    flushed = told(CacheStats(misses=5_000, fills=5_000), (flush,))
    assert "The cache was flushed at 1.0 s." in flushed
    assert "filled again" not in flushed


def test_reads_of_a_store_that_find_no_key() -> None:
    found = reading("durable", 100, cache=CacheStats(hits=100))
    assert "Every read found its key." in of(ended(found), "durable")
    missed = reading("durable", 100, cache=CacheStats(hits=98, misses=2))
    assert "2 of 100 reads found no key." in of(ended(missed), "durable")


def test_client_bound_says_by_what() -> None:
    busy = reading("mysql", 100, client=ClientStats(cpu_share=0.91))
    told = of(ended(busy, reading("durable", 100)), "mysql")
    assert "may have held it back: client-bound by cpu 91 % of a core." in told
    calm = reading("mysql", 100, client=ClientStats(cpu_share=0.5))
    assert "client-bound" not in of(ended(calm), "mysql")


def paced(lane: str, done: int, *, response_us: float, backlog: int = 0) -> LaneFrame:
    each = work([2_000.0] * done, response=latencies([response_us] * done), rows_each=10)
    return LaneFrame(
        lane,
        RACING,
        write=each,
        read=replace(each, rows=done),
        backlog={"write": backlog, "read": backlog},
        overloaded=backlog > 100,
    )


def test_an_open_loop_is_told_by_its_offer_and_not_by_who_did_more() -> None:
    summary = ended(
        paced("mysql", 30, response_us=700_000.0, backlog=170),
        paced("cached", 95, response_us=8_000.0, backlog=5),
        paced("durable", 100, response_us=4_000.0),
        mode="pace",
        rate_per_s=100.0,
    )
    mysql, cached, durable = (of(summary, lane) for lane in ENTRANTS)
    assert (
        "It did 30.0 of the 100 write operations/s offered, 70.0 % short "
        "(overloaded, 170 due at the end and not begun): service time 2.00 ms (p99 2.00 ms), "
        "response time 700 ms (p99 700 ms)."
    ) in mysql
    # Five behind is not a second's worth: late, not overloaded.
    assert "5.0 % short (5 due at the end and not begun)" in cached
    assert "overloaded" not in cached + durable
    assert "It held the 100 read operations/s offered (100.0 done)" in durable
    assert not re.search("ahead|behind|level", mysql + cached + durable)
    # 700 ms, 8 ms, 4 ms.
    assert "response time is the lowest, that of MySQL + cache is 2.0x as high." in durable
    assert "response time is the 2nd lowest, 2.0x that of Durable Redis." in cached
    assert "response time is the 3rd lowest, 175x that of Durable Redis." in mysql


def test_more_than_was_offered_is_a_backlog_worked_off() -> None:
    summary = ended(paced("mysql", 110, response_us=9.0), mode="pace", rate_per_s=100.0)
    assert "10.0 % more than the 100 offered: it had a backlog to work off" in of(summary, "mysql")


def test_a_rate_that_was_changed_is_none_to_hold() -> None:
    changed = Event(1.0, None, describe(Rate(50.0)), control=Rate(50.0))
    summary = ended(
        paced("mysql", 70, response_us=9.0), events=(changed,), mode="pace", rate_per_s=100.0
    )
    told = of(summary, "mysql")
    assert "It did 70.0 write operations/s; the mode or the rate was changed on the way" in told
    assert not re.search("held|short|more than", told)


def test_a_pause_costs_nobody_his_place() -> None:
    summary = ended(
        reading("mysql", 200),
        reading("durable", 100),
        events=(Event(1.0, None, describe(Pause()), control=Pause()),),
    )
    resting = [
        LaneFrame(lane, LaneState.PAUSED, write=work(), read=work())
        for lane in ("mysql", "durable")
    ]
    summary.add(frame(1, 2.0, *resting))
    assert "1st, 2.0x ahead in reads with 200 rows/s" in of(summary, "mysql")


def heats(*rounds: tuple[int, int]) -> Summary:
    """Return a race with these reads per second of mysql and durable, round by round."""
    summary = Summary(
        RaceConfig(lanes=("mysql", "durable"), heats=True, rounds=len(rounds), duration_s=1.0),
        (MYSQL, DURABLE),
        RaceEnvironment(),
    )
    seq = 0
    for number, reads in enumerate(rounds, 1):
        for lane, count in zip(("mysql", "durable"), reads, strict=True):
            racing = LaneFrame(lane, RACING, read=work([1e6 / count] * count), heat=number)
            summary.add(frame(seq, 1.0, racing))
            seq += 1
    return summary


def test_rounds_that_overlap_decide_nothing() -> None:
    # 150 beside 200 on average; the better round of one beats the worse of the other.
    summary = heats((100, 150), (200, 250))
    assert "its rounds, 100 to 200, and Durable Redis's, 150 to 250, overlap" in of(
        summary, "mysql"
    )
    assert "overlap" in of(summary, "durable")
    assert "overlap" not in of(heats((100, 201), (200, 250)), "mysql")
    # One round says nothing of how far rounds lie apart.
    alone = lane_reports(heats((100, 150)))
    assert all(not lane_report.spreads for lane_report in alone)


def test_spreads_are_those_of_the_rounds() -> None:
    mysql, _ = lane_reports(heats((100, 150), (200, 250)))
    assert (mysql.spreads["read"].low, mysql.spreads["read"].high) == (100.0, 200.0)
    assert (mysql.spreads["p99"].low, mysql.spreads["p99"].high) == pytest.approx(
        (5e3, 1e4), rel=0.01
    )


WORKS = st.builds(
    lambda values, errors, interval_s: work(
        values, rows_each=7, errors={"x": errors} if errors else None, interval_s=interval_s
    ),
    st.lists(st.floats(min_value=1.0, max_value=6e7), max_size=120),
    st.integers(min_value=0, max_value=3),
    st.sampled_from([0.0, 1e-3, 1.0]),
)
LANES = st.builds(
    LaneFrame,
    lane=st.just(""),
    state=st.sampled_from(LaneState),
    write=WORKS,
    read=WORKS,
    cache=st.builds(
        CacheStats, hits=st.integers(0, 5), misses=st.integers(0, 5), fills=st.integers(0, 5)
    ),
    backlog=st.fixed_dictionaries({"write": st.integers(0, 999), "read": st.integers(0, 999)}),
)


@given(
    st.lists(LANES, min_size=1, max_size=3),
    st.sampled_from(["saturate", "pace"]),
    st.booleans(),
)
def test_whatever_was_measured_it_is_said_in_whole_sentences(
    given_lanes: list[LaneFrame], mode: str, answered: bool
) -> None:
    def responding(part: RoleStats) -> RoleStats:
        return replace(part, response=part.service) if mode == "pace" and answered else part

    lanes = [
        replace(lane, lane=name, write=responding(lane.write), read=responding(lane.read))
        for name, lane in zip(ENTRANTS, given_lanes, strict=False)
    ]
    rate: dict[str, Any] = {"rate_per_s": 10.0} if mode == "pace" else {}
    for lane_report in lane_reports(ended(*lanes, mode=mode, **rate)):
        assert lane_report.findings
        for sentence in lane_report.findings:
            assert re.fullmatch(r"[A-Zt1-9].*[.]", sentence)
            assert not re.search(r"\b(nan|inf|None|1\.0x|unplaced)\b|  |-\d", sentence), sentence


def test_a_time_to_live_that_was_changed_is_not_told() -> None:
    cache = CacheStats(misses=1_002, fills=1_002)
    for control, told in ((Ttl(9.0), False), (Pause(), True)):
        # The control decides, not the text of its event.
        event = Event(1.0, None, "x", control=control)
        summary = ended(reading("cached", 2_000, cache=cache), events=(event,), ttl_s=2.0)
        assert ("their time to live is 2 s" in of(summary, "cached")) is told


def test_how_far_the_numbers_can_be_trusted_includes_what_was_read_back() -> None:
    summary = ended(reading("mysql", 10), reading("durable", 10))
    kept = {"mysql": ReadBack(checked=700), "durable": ReadBack(checked=300)}
    summary.reconcile_with_servers(ClosingCounts(read_backs=kept))
    assert (
        TrustNote("1,000 acknowledged rows read back as written", good=True)
        in build_report(summary).trust
    )
    half = {**kept, "durable": ReadBack(unread=300, timed_out=True)}
    summary.reconcile_with_servers(ClosingCounts(read_backs=half))
    text = "700 acknowledged rows read back as written, 300 were not read"
    assert TrustNote(text, good=False) in build_report(summary).trust
    lost = {**kept, "durable": ReadBack(checked=300, missing=1, examples=(LostRow(7, 5, None),))}
    summary.reconcile_with_servers(ClosingCounts(read_backs=lost))
    report = build_report(summary)
    assert TrustNote("acknowledged rows are lost: Durable Redis") in report.trust
    assert not any("read back as written" in note.text for note in report.trust)
    assert any(note.startswith("durable: acknowledged rows are lost") for note in report.notes)
