"""The result of a race as a table."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from dataclasses import replace
from pathlib import Path

from engines.config.race_config import RaceConfig
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, LaneFrame, LaneState
from engines.metrics.stats import CacheStats
from engines.model.caveats import Caveat, VolatileStorage
from engines.model.controls import Batch, describe
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LaneInfo
from engines.model.read_back import LostRow, ReadBack
from engines.model.server_facts import TRANSACTION_IDS
from engines.results.summary import Summary
from tests.support.frames import CACHED, MYSQL, frame, latencies, work
from tests.unit.report.test_interval_lines import FRAME
from tui.report.text_table import final_table, terminal_width


def table(*, settings: RaceConfig | None = None, caveats: tuple[Caveat, ...] = ()) -> list[str]:
    summary = Summary(settings or RaceConfig(), (MYSQL, CACHED), RaceEnvironment(caveats=caveats))
    summary.add(FRAME)
    return list(final_table(summary))


def cells(lines: list[str], label: str) -> list[list[str]]:
    """Return the cells of every line with that label."""
    found = [line.removeprefix(label) for line in lines if line.startswith(label)]
    return [line.split() for line in found]


def test_the_final_table_sets_the_lanes_side_by_side() -> None:
    lines = table()
    assert lines[0] == "measured 1.0 s after 2 s of warm-up, preset fair, seed 1"
    assert lines[1] == "per lane 4 writers and 8 readers, batch 100, TTL 120 s"
    assert lines[3].split() == ["mysql", "cached"]
    assert cells(lines, "state") == [["racing", "reconnecting"]]
    assert cells(lines, "writes, rows/s") == [["2,000", "1"]]
    assert cells(lines, "reads, rows/s") == [["0", "4"]]
    assert cells(lines, "  p50 ms") == [["2.500", "0.001"], ["-", "0.007"]]
    assert cells(lines, "  max ms") == [["2.500", "0.001"], ["-", "0.007"]]
    assert cells(lines, "  errors") == [["0", "1,000"], ["0", "234"]]
    assert cells(lines, "  hits") == [["-", "3"]]
    assert cells(lines, "  hit ratio") == [["-", "75.0", "%"]]
    assert cells(lines, "  client-bound") == [["no", "YES"]]
    assert all(
        len(line) <= 80
        for line in lines[: lines.index("mysql: MySQL, write to MySQL, read from MySQL")]
    )


def test_the_final_table_says_who_raced_what_failed_and_what_to_keep_in_mind() -> None:
    lines = table(caveats=(VolatileStorage("tmpfs"),))
    text = "\n".join(lines)
    for lane_info in (MYSQL, CACHED):
        assert lane_info.title in text
        assert lane_info.product in text
        assert lane_info.version in text
        assert lane_info.durability in text
    assert "cached: write errors: mysql_2013 1,000" in lines
    assert "cached: read errors: redis_lost 234" in lines
    assert "note: data on tmpfs: memory, not a disk, so a commit costs nothing here" in lines
    assert "note: cached: a cold cache" in lines
    assert any(line.startswith("note: cached: client-bound") for line in lines)


def test_a_table_of_lane_mysql_alone_has_no_cache_in_it() -> None:
    summary = Summary(RaceConfig(lanes=("mysql",), processes=2), (MYSQL,), RaceEnvironment())
    summary.add(frame(0, 1.0, FRAME.lanes[0]))
    lines = list(final_table(summary))
    assert not cells(lines, "  hits")
    assert "4 writers and 8 readers, 2 processes per role" in lines[1]


def test_ids_that_nobody_knows_are_shown_when_there_are_any() -> None:
    assert not cells(table(), "  skipped ids")
    summary = Summary(RaceConfig(lanes=("mysql",)), (MYSQL,), RaceEnvironment())
    summary.add(frame(0, 1.0, replace(FRAME.lanes[0], cache=CacheStats(skipped=1_234))))
    assert cells(list(final_table(summary)), "  skipped ids") == [["1,234"]]


def test_what_servers_say_cannot_break_a_line_or_steer_a_terminal() -> None:
    nasty = replace(MYSQL, version="10\n\x1b]0;owned\x07", notes=("a\nb",))
    summary = Summary(RaceConfig(lanes=("mysql",)), (nasty,), RaceEnvironment())
    broken = replace(FRAME.lanes[0], read=work(errors={"kind\r": 1}))
    summary.add(frame(0, 1.0, broken))
    assert all(line.isprintable() for line in final_table(summary))


def paced_table(settings: RaceConfig, lane: LaneFrame, lane_info: LaneInfo = MYSQL) -> list[str]:
    summary = Summary(settings, (lane_info,), RaceEnvironment())
    summary.add(frame(0, 1.0, lane))
    return list(final_table(summary))


def test_what_an_open_loop_offered_stands_beside_what_was_done() -> None:
    lane = LaneFrame(
        "mysql",
        LaneState.RACING,
        write=work([2_000.0] * 90, response=latencies([700_000.0] * 90)),
        read=work([1_000.0] * 100, response=latencies([4_000.0] * 100)),
        backlog={"write": 10, "read": 0},
        late=12,
    )
    settings = RaceConfig(lanes=("mysql",), mode="pace", rate_per_s=100.0)
    lines = paced_table(settings, lane)
    assert cells(lines, "writes, operations/s") == [["90.0"]]
    assert cells(lines, "reads, operations/s") == [["100.0"]]
    assert cells(lines, "  offered") == [["100.0"], ["100.0"]]
    assert cells(lines, "  off by") == [["-10.00", "%"], ["+0.00", "%"]]
    assert cells(lines, "  response p99 ms") == [["700.000"], ["4.000"]]
    assert cells(lines, "  backlog at the end") == [["10"], ["0"]]
    assert cells(lines, "began late") == [["12"]]
    assert cells(lines, "overloaded") == [["no"]]
    overloaded = "\n".join(paced_table(settings, replace(lane, overloaded=True)))
    assert "note: mysql: overloaded" in overloaded
    closed = paced_table(
        RaceConfig(lanes=("mysql",)), LaneFrame("mysql", LaneState.RACING, read=work([1.0]))
    )
    assert not cells(closed, "began late")


def test_telemon_s_own_share_stands_beside_the_median() -> None:
    lane_info = replace(MYSQL, overhead_us={"read": 25.0})
    lane = LaneFrame("mysql", LaneState.RACING, read=work([60.0] * 9))
    assert "  p50 of a read 60 us, of which telemon 25" in paced_table(
        RaceConfig(lanes=("mysql",)), lane, lane_info
    )


def test_heats_stand_side_by_side_with_their_spread() -> None:
    summary = Summary(
        RaceConfig(heats=True, rounds=3, duration_s=1.0), (MYSQL, CACHED), RaceEnvironment()
    )
    for seq, (number, lane, rows) in enumerate(
        [
            (1, "mysql", 10),
            (1, "cached", 100),
            (2, "cached", 300),
            (2, "mysql", 30),
            (3, "mysql", 40),
            (3, "cached", 200),
        ]
    ):
        racing = LaneFrame(lane, LaneState.RACING, read=work([rows * 1_000.0] * rows), heat=number)
        resting = LaneFrame("cached" if lane == "mysql" else "mysql", LaneState.STARTING, heat=1)
        summary.add(frame(seq, 1.0, racing, resting))
    lines = list(final_table(summary))
    assert lines[0].startswith("heats of 1.0 s, each after 2 s of warm-up")
    at = next(n for n, line in enumerate(lines) if line.startswith("heats, each lane alone"))
    assert "3 rounds merged (min - max of a round)" in lines[at]
    assert lines[at].endswith("in order mysql, cached; cached, mysql; mysql, cached")
    heats = lines[at:]
    # All rows over all of the time: 80 and 600 in 3 s.
    assert cells(heats, "reads, rows/s") == [["27", "200"]]
    assert cells(heats, "    min - max")[3] == ["10-40", "100-300"]
    # The writers did nothing: a rate of 0, and no latency.
    assert cells(heats, "writes, rows/s") == [["0", "0"]]
    assert cells(heats, "  p50 ms")[0] == ["-", "-"]
    # 10 operations of 10 ms, 30 of 30 ms and 40 of 40 ms: of all of them together, and from the lowest round's own
    # to the highest's.
    assert cells(heats, "  p99 ms")[1] == ["40.000", "300.000"]
    assert cells(heats, "    min - max")[5] == ["10.000-40.000", "100.000-300.000"]
    assert not any("response" in line for line in heats)


def test_heats_of_an_open_loop_have_both_times_by_name() -> None:
    settings = RaceConfig(
        lanes=("mysql",), writers=0, mode="pace", rate_per_s=4.0, heats=True, rounds=2
    )
    summary = Summary(settings, (MYSQL,), RaceEnvironment())
    for number in (1, 2):
        read = work([1_000.0 * number] * 4, response=latencies([7_000.0 * number] * 4))
        summary.add(
            frame(number - 1, 1.0, LaneFrame("mysql", LaneState.RACING, read=read, heat=number))
        )
    lines = list(final_table(summary))
    heats = lines[next(n for n, line in enumerate(lines) if line.startswith("heats, each")) :]
    assert cells(heats, "  service p99 ms")[1] == ["2.000"]
    assert cells(heats, "  response p99 ms")[1] == ["14.000"]
    assert cells(heats, "    min - max")[-1] == ["7.000-14.000"]
    assert not any(line.startswith(("  p50 ms", "  p99 ms")) for line in lines)


def test_one_round_lies_nowhere_apart() -> None:
    summary = Summary(
        RaceConfig(lanes=("mysql",), heats=True, rounds=1), (MYSQL,), RaceEnvironment()
    )
    summary.add(frame(0, 1.0, LaneFrame("mysql", LaneState.RACING, read=work([5.0]), heat=1)))
    lines = list(final_table(summary))
    assert "heats, each lane alone: 1 round; in order mysql" in lines
    assert not any("min - max" in line for line in lines)


def test_what_was_asked_of_the_race_is_told_with_the_time() -> None:
    summary = Summary(RaceConfig(lanes=("mysql",)), (MYSQL,), RaceEnvironment())
    changed = Event(1_661_245_212.0, None, describe(Batch(7)), control=Batch(7))
    lost = Event(1_661_245_212.0, "mysql", "reconnecting")
    summary.add(replace(frame(0, 12.0, FRAME.lanes[0]), events=(changed, lost)))
    lines = list(final_table(summary))
    assert "changed  at 12.0 s: batch: 7 rows" in lines
    assert not any("reconnecting" in line for line in lines)


def test_the_servers_counts_are_compared_or_it_is_said_why_not() -> None:
    summary = Summary(RaceConfig(lanes=("mysql", "cached")), (MYSQL, CACHED), RaceEnvironment())
    write = work([5.0] * 3, rows_each=10)
    good = {"Com_insert": 3, "Handler_write": 30, "Com_commit": 0, "Com_select": 0}
    good[TRANSACTION_IDS] = 6
    summary.add(
        frame(
            0,
            1.0,
            LaneFrame("mysql", LaneState.DONE, write=write, server=good),
            LaneFrame("cached", LaneState.DONE, write=write, server={**good, "Com_insert": 2}),
        )
    )
    assert not any(line.startswith("counts") for line in final_table(summary))
    summary.reconcile_with_servers(ClosingCounts())
    lines = list(final_table(summary))
    assert "counts   reconciled with the servers' own: mysql" in lines
    assert "counts   cached: not reconciled: upserts 3 here and 2 there" in lines


def test_the_final_table_says_which_rows_were_read_back() -> None:
    summary = Summary(RaceConfig(), (MYSQL, CACHED), RaceEnvironment())
    summary.add(FRAME)
    lost = ReadBack(checked=90, missing=2, older=1, examples=(LostRow(7, 5, None),))
    summary.reconcile_with_servers(
        ClosingCounts(read_backs={"mysql": ReadBack(checked=1_000), "cached": lost})
    )
    lines = list(final_table(summary))
    assert "stored   rows read back as acknowledged: mysql 1,000" in lines
    assert "stored   cached: 3 of 90 rows read back are not as acknowledged" in lines
    assert any(line.startswith("note: cached: acknowledged rows are lost") for line in lines)
    nothing = ClosingCounts(read_backs={"mysql": ReadBack(), "cached": ReadBack(unread=9)})
    summary.reconcile_with_servers(nothing)
    lines = list(final_table(summary))
    assert not any(line.startswith("stored") for line in lines)
    assert any("9 acknowledged rows were not read back at the end" in line for line in lines)


def test_a_server_that_does_not_count_commits_is_named() -> None:
    summary = Summary(RaceConfig(), (MYSQL,), RaceEnvironment())
    write = work([1.0] * 3, rows_each=10)
    counts = {"Com_insert": 3, "Handler_write": 30, "Com_commit": 0, "Com_select": 0}
    summary.add(frame(0, 1.0, LaneFrame("mysql", LaneState.DONE, write=write, server=counts)))
    summary.reconcile_with_servers(ClosingCounts())
    said = "mysql: reconciled, except for commits, which this server does not count"
    assert f"counts   {said}" in list(final_table(summary))


def huge_table(width: int | None = None) -> list[str]:
    """Lanes with numbers of twelve digits in every place."""
    most = work([999_999_999.0] * 99, rows_each=10_000_000_000, errors={"e" * 90: 999_999_999_999})
    lanes = [
        LaneFrame(lane, LaneState.RECONNECTING, write=most, read=most, heat=1,
                  cache=CacheStats(999_999_999_999, 999_999_999_999, 1, 1))
        for lane in ("mysql", "cached")
    ]  # fmt: skip
    named = replace(MYSQL, title="MySQL at [2001:db8:85a3:8d3:1319:8a2e:370:7348]:3306")
    summary = Summary(RaceConfig(heats=True, rounds=2), (named, CACHED), RaceEnvironment())
    summary.add(frame(0, 1.0, *lanes))
    summary.add(frame(1, 1.0, *(replace(lane, heat=2) for lane in lanes)))
    return list(final_table(summary, width))


def grid_of(lines: list[str], label: str) -> list[str]:
    """Return the grid whose first line begins with `label`, headed by the lanes, up to the next blank line."""
    at = next(number for number, line in enumerate(lines) if line.startswith(label))
    first = max(number for number in range(at) if lines[number].split() == ["mysql", "cached"])
    return lines[first : lines.index("", at) if "" in lines[at:] else None]


def test_columns_stay_columns_whatever_numbers_are_in_them() -> None:
    rows = grid_of(huge_table(), "writes, rows/s")
    assert any("990,000,000,000" in row for row in rows)
    first, second = (rows[0].index(lane) + len(lane) for lane in ("mysql", "cached"))
    for row in rows[1:]:
        if row == "telemon itself":
            continue
        # Each cell ends under its title, and the second does not touch the first.
        assert row[first - 1] != " "
        assert row[first] == " "
        assert len(row) == second
    apart = cells(huge_table(), "    min - max")[0]
    assert apart == ["990,000,000,000-990,000,000,000"] * 2


def test_a_terminal_gets_no_line_wider_than_itself_and_a_pipe_whole_sentences() -> None:
    for width in (40, 60, 80, 120):
        lines = huge_table(width)
        assert all(len(line) <= max(width, 22 + 34) for line in lines), width
        # Nothing is lost: the text is the same but for blanks, where lanes are not set one below the other.
        assert sum("e" * 20 in line for line in lines) >= 2
        for lane in ("mysql", "cached"):
            assert any(line.split() in ([lane], ["mysql", "cached"]) for line in lines)
    piped = huge_table()
    assert any(len(line) > 120 for line in piped)
    assert sum("e" * 90 in line for line in piped) == 4


def test_only_a_terminal_has_a_width(tmp_path: Path) -> None:
    assert terminal_width(None) is None
    with (tmp_path / "out").open("w") as file:
        assert terminal_width(file) is None
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 77, 0, 0))
    with os.fdopen(child, "w") as terminal:
        assert terminal_width(terminal) == 77
    os.close(parent)


def test_nothing_but_plain_text_is_in_the_table() -> None:
    assert all(line.isprintable() for line in [*huge_table(), *huge_table(80)])


def test_a_hit_ratio_is_all_only_when_it_is_all() -> None:
    lane = replace(FRAME.lanes[1], cache=CacheStats(hits=99_999, misses=1))
    assert cells(paced_table(RaceConfig(lanes=("cached",)), lane, CACHED), "  hit ratio") == [
        ["99.9", "%"]
    ]


def test_a_share_larger_than_the_median_is_not_called_a_share() -> None:
    lane_info = replace(MYSQL, overhead_us={"read": 80.0})
    lane = LaneFrame("mysql", LaneState.RACING, read=work([60.0] * 9))
    lines = paced_table(RaceConfig(lanes=("mysql",)), lane, lane_info)
    (told,) = [line for line in lines if line.startswith("  p50 of a read")]
    assert "60 us (telemon's own share is not known" in told
    assert "of which" not in told
