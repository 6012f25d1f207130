"""The result on the screen: what it holds, in which order, and that all of it can be reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engines.config.race_config import RaceConfig
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, LaneFrame, LaneState
from engines.metrics.scheduling_delay import SchedulingDelay
from engines.model.controls import Batch, Release, describe
from engines.model.environment import RaceEnvironment
from engines.model.server_facts import TRANSACTION_IDS
from engines.results.fairness import fairness_lines
from engines.results.summary import Summary
from tests.screens.conftest import Launch
from tests.support.frames import frame, latencies, work
from tests.support.synthetic_frames import ENTRANTS, SyntheticSource, usual
from tui.draw.styled import BAD, TEXT, WARN
from tui.draw.styled import width as cells
from tui.report.race_report import build_report, overhead_share
from tui.report.text_table import final_table
from tui.widgets.result.result_panel import report

NOTE = "data on tmpfs: a commit costs nothing here"

GOOD = {"Com_insert": 3, "Handler_write": 30, "Com_commit": 0, "Com_select": 4, TRANSACTION_IDS: 6}


def summary_of(*lanes: LaneFrame, notes: tuple[str, ...] = (), **settings: object) -> Summary:
    names = {lane.lane for lane in lanes}
    lane_infos = [
        replace(each, overhead_us={"read": 25.0}, notes=notes)
        for each in ENTRANTS
        if each.lane in names
    ]
    summary = Summary(RaceConfig(**settings), lane_infos, RaceEnvironment())  # type: ignore[arg-type]
    changed = Event(0.0, None, describe(Batch(7)), control=Batch(7))
    summary.add(replace(frame(0, 1.0, *lanes), events=(changed,)))
    summary.reconcile_with_servers(ClosingCounts())
    return summary


def lane(name: str, **more: object) -> LaneFrame:
    kept = {"write": work([5.0] * 3, rows_each=10), "read": work([60.0] * 4), "server": GOOD}
    return LaneFrame(name, LaneState.DONE, **{**kept, **more})  # type: ignore[arg-type]


def text(summary: Summary, width: int = 120) -> str:
    lines = report(build_report(summary), width)
    return "\n".join("".join(part for part, _ in line) for line in lines)


def test_what_matters_most_comes_first() -> None:
    shown = text(summary_of(lane("mysql"), notes=(NOTE,)))
    order = [
        "result after 0:01",
        "writes/s",
        "counts reconciled with the servers' own",
        "It wrote 30 rows/s",
        NOTE,
        "p50 60 us, of which telemon 25",
        "at 1.0 s: batch: 7 rows",
    ]
    assert [shown.index(part) for part in order] == sorted(shown.index(part) for part in order)


def test_counts_that_differ_are_told_with_the_numbers() -> None:
    off = {**GOOD, "Com_insert": 5}
    shown = text(summary_of(lane("mysql"), lane("cached", server=off)))
    assert "counts reconciled with the servers' own: MySQL\n" in shown
    assert "counts of MySQL + cache not reconciled: upserts 3 here and 5 there" in shown
    # Nothing to compare with is not the same as a difference, and said once.
    unread = summary_of(lane("mysql", server={}), lane("cached", server={}))
    assert "counts of MySQL, MySQL + cache not reconciled: the servers' counters" in text(unread)
    broken = Summary(RaceConfig(lanes=("mysql",)), ENTRANTS[:1], RaceEnvironment())
    broken.add(frame(0, 1.0, lane("mysql")))
    assert "counts not compared with the servers' own: the race did not come to its end" in text(
        broken
    )


def test_a_share_that_is_larger_than_the_whole_is_none() -> None:
    lane_info = replace(ENTRANTS[0], overhead_us={"read": 80.0})
    told = overhead_share(lane_info, "read", work([60.0] * 4))
    assert told.startswith("60 us (telemon's own share is not known")
    assert overhead_share(lane_info, "read", work([90.0] * 4)) == "90 us, of which telemon 80"
    assert overhead_share(lane_info, "write", work([90.0])) == ""
    waited = replace(work([90.0] * 4), scheduling_delay=SchedulingDelay(24_000, 2))
    assert overhead_share(lane_info, "read", waited) == (
        "90 us, of which telemon 80 (and 12 waiting for a processor, mean)"
    )
    assert overhead_share(lane_info, "read", work()) == ""


def test_an_open_loop_shows_offer_backlog_and_both_times() -> None:
    late = work([2_000.0] * 40, response=latencies([700_000.0] * 40))
    slow = lane(
        "mysql", write=late, read=late, backlog={"write": 160, "read": 150}, overloaded=True
    )
    shown = text(summary_of(slow, mode="pace", rate_per_s=100.0))
    assert "result after 0:01, pace 100/s" in shown
    assert "write op/s" in shown
    assert "40.0 short" in shown
    assert "overloaded: MySQL" in shown
    assert "response p50 700 ms, p99 700 ms" in shown
    assert "offered 100/s, achieved 40.0/s, backlog 160 at the end, 160 at most" in shown
    assert "service p50 2,000 us, of which telemon 25" in shown
    # A closed loop knows nothing of that.
    assert "response" not in text(summary_of(lane("mysql")))


def test_heats_show_from_where_to_where_the_rounds_lie() -> None:
    summary = Summary(
        RaceConfig(heats=True, rounds=2, duration_s=1.0), ENTRANTS[:1], RaceEnvironment()
    )
    for number, reads in ((1, 1_000), (2, 3_000)):
        racing = LaneFrame(
            "mysql", LaneState.RACING, read=work([50.0 * number] * reads), heat=number
        )
        summary.add(frame(number - 1, 1.0, racing))
    shown = text(summary)
    assert "result after 0:01 of heats, 2 rounds" in shown
    row = next(line for line in shown.splitlines() if "min-max" in line)
    assert row.split() == ["min-max", "0-0", "1,000-3,000", "0.05-0.10", "ms"]
    assert "min-max writes 0-0, reads 1,000-3,000, p99 0.05-0.10 ms" in " ".join(
        text(summary, 37).split()
    )


def test_lanes_released_one_by_one_are_said_to_have_no_common_time() -> None:
    summary = summary_of(lane("mysql"), lane("cached"))
    assert "one by one" not in text(summary)
    assert not any("each lane from its own release" in line for line in final_table(summary))
    released = Event(0.0, None, describe(Release("cached")), control=Release("cached"))
    summary.add(replace(frame(1, 2.0), events=(released,)))
    assert "result after 0:02, lanes released one by one" in text(summary)
    assert "mysql 1.0 s, cached 1.0 s" in " ".join(text(summary).split())
    first = next(final_table(summary))
    assert first.startswith("measured 2.0 s in all, each lane from its own release, after ")


@pytest.mark.parametrize("width", [200, 78, 38])
def test_the_fairness_sheet_is_whole_at_any_width(width: int) -> None:
    summary = summary_of(lane("mysql"), writers=3, readers=5, batch=7, seed=11, ttl_jitter=0.1)
    describe = " ".join(text(summary, width).split())
    expected = [
        "lanes preset fair, seed 11, at the start 3 writers and 5 readers in 1 engine process each, batch 7",
        *(" ".join(row) for row in fairness_lines(summary.environment, summary.settings)),
    ]
    assert len(expected) > 1
    assert [part for part in expected if part not in describe] == []
    assert describe.index("fairness sheet") < describe.index(expected[0])


def test_what_broke_the_race_stands_before_all_else() -> None:
    lines = report(build_report(summary_of(lane("mysql")), "the engines " + "are gone " * 10), 60)
    assert lines[0] == ((" broken off: the engines are gone are gone are gone are", BAD),)
    assert all(cells(line) <= 60 for line in lines)


LONG = "a note that goes on and on, " * 20


@pytest.mark.parametrize("width", [37, 38, 56, 57, 77, 117, 157, 197])
@pytest.mark.parametrize("mode", ["saturate", "pace"])
def test_nothing_is_wider_than_the_terminal(width: int, mode: str) -> None:
    fast = work([60.0] * 999, rows_each=999_999_999_999, response=None)
    if mode == "pace":
        fast = replace(fast, response=latencies([59e6] * 999))
    failing = work(errors={"an_error_of_a_kind_that_has_a_very_long_name_" * 3: 123_456_789_012})
    summary = summary_of(
        lane("mysql", write=fast, read=fast),
        lane("cached", write=fast, read=failing),
        lane("durable", write=fast, read=fast),
        notes=(LONG,),
        mode=mode,
        **({"rate_per_s": 99_999.0} if mode == "pace" else {}),
    )
    for line in report(build_report(summary), width):
        assert cells(line) <= width, line
    # All of it is there: what was wrapped is whole again without its blanks.
    assert "".join(LONG.split()) in "".join(text(summary, width).split())


@pytest.mark.parametrize("size", [(160, 20), (80, 24), (60, 20), (40, 12)])
async def test_all_of_it_can_be_reached_by_keys_and_it_says_so(
    launch: Launch, size: tuple[int, int]
) -> None:
    async with launch(source=SyntheticSource(list(usual()), linger=False), size=size) as racing:
        await racing.shows("result after 0:14", "lines below", "pgdn", "quit")
        seen: list[str] = []
        for _ in range(40):
            seen += [line.strip(" \n▁▂▃▄▅▆▇█") for line in racing.text().splitlines()[:-2]]
            if "the end" in racing.text():
                break
            before = racing.text()
            await racing.pilot.press("pagedown")
            await racing.until(lambda before=before: racing.text() != before)  # type: ignore[misc]
        assert "the end" in racing.text()
        summary = racing.app.feed.summary
        assert summary is not None
        wanted = report(build_report(summary), size[0] - 3)
        for line in wanted:
            assert "".join(part for part, _ in line).strip() in seen
        await racing.pilot.press("home")
        await racing.shows("result after 0:14")
        await racing.pilot.press("down")
        await racing.until(lambda: "result after" not in racing.text())
        await racing.pilot.press("up", "end")
        await racing.shows("the end")


async def test_what_fits_has_no_word_of_scrolling(launch: Launch) -> None:
    source = SyntheticSource(list(usual()), linger=False)
    async with launch(source=source, size=(160, 60)) as racing:
        await racing.shows("result after 0:14", "changed while racing")
        assert "pgdn" not in racing.text()
        # It appears as soon as something does not fit any more, and goes again.
        await racing.pilot.resize_terminal(160, 20)
        await racing.shows("lines below")
        await racing.pilot.resize_terminal(160, 60)
        await racing.until(lambda: "pgdn" not in racing.text())


def test_a_line_of_trust_is_a_warning_unless_the_counts_were_reconciled() -> None:
    good = summary_of(lane("mysql"))
    half = summary_of(lane("mysql"), lane("durable"))
    for summary, expected in ((good, [True]), (half, [True, False])):
        made = build_report(summary)
        assert [trust.good for trust in made.trust] == expected
        styles = {line[0][0].strip(): line[0][1] for line in report(made, 200) if line}
        for trust in made.trust:
            assert styles[trust.text] == (TEXT if trust.good else WARN)
