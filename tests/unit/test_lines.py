"""A race as lines of text."""

from __future__ import annotations

from dataclasses import replace

from engines.config import Race
from engines.frame import Cache, Client, Event, LaneFrame, LaneState
from engines.summary import Summary
from tests.unit.frames import CACHED, MYSQL, frame, latencies, work
from tui.lines import event_line, final_table, frame_lines, header

BOUND = Client(cpu_share=0.91, loop_lag=latencies([20.0]))

FRAME = frame(
    0,
    1.0,
    LaneFrame("mysql", LaneState.RACING, write=work([2500.0] * 20, rows_each=100)),
    LaneFrame(
        "cached",
        LaneState.RECONNECTING,
        write=work([1.0], errors={"mysql_2013": 1_000}),
        read=work([7.0] * 4, errors={"redis_lost": 234}),
        cache=Cache(hits=3, misses=1),
        client=BOUND,
    ),
)


def table(*, settings: Race | None = None, notes: tuple[str, ...] = ()) -> list[str]:
    summary = Summary(settings or Race(), (MYSQL, CACHED), {"notes": list(notes)})
    summary.add(FRAME)
    return list(final_table(summary))


def cells(lines: list[str], label: str) -> list[list[str]]:
    """The cells of every line with that label."""
    found = [line.removeprefix(label) for line in lines if line.startswith(label)]
    return [line.split() for line in found]


def test_a_line_per_lane_with_its_figures_under_their_titles() -> None:
    mysql, cached = frame_lines(FRAME)
    assert header().split() == [
        *("time_s", "lane", "state", "write_rows/s", "p50_ms", "p99_ms"),
        *("read_rows/s", "p50_ms", "p99_ms", "hits", "misses", "errors"),
    ]
    assert mysql.split() == [
        *("1.0", "mysql", "racing", "2,000", "2.500", "2.500", "0", "-", "-", "-", "-", "0")
    ]
    assert cached.split() == [
        *("1.0", "cached", "reconnecting", "1", "0.001", "0.001"),
        *("4", "0.007", "0.007", "3", "1", "1,234", "client-bound"),
    ]
    for title in ("write_rows/s", "errors"):
        end = header().index(title) + len(title)
        assert mysql[end - 1].isdigit()
        assert cached[end - 1].isdigit()
    assert mysql.index("mysql") == cached.index("cached") == header().index("lane")


def test_columns_hold_what_a_fast_race_fills_them_with() -> None:
    fast = LaneFrame(
        "durable",
        LaneState.RECONNECTING,
        write=work([68_000_000.0], rows_each=99_999_999, errors={"x": 99_999}),
        read=work([68_000_000.0], rows_each=99_999_999),
        cache=Cache(hits=9_999_999, misses=999_999),
    )
    (line,) = frame_lines(frame(0, 86_400.0, fast))
    assert len(line) == len(header())


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
    assert all(len(line) <= 80 for line in lines[:-8])


def test_the_final_table_says_who_raced_what_failed_and_what_to_keep_in_mind() -> None:
    lines = table(notes=("data on tmpfs: memory, not a disk",))
    text = "\n".join(lines)
    for entrant in (MYSQL, CACHED):
        assert entrant.title in text
        assert entrant.product in text
        assert entrant.version in text
        assert entrant.durability in text
    assert "cached: write errors: mysql_2013 1,000" in lines
    assert "cached: read errors: redis_lost 234" in lines
    assert "note: data on tmpfs: memory, not a disk" in lines
    assert "note: cached: a cold cache" in lines
    assert any(line.startswith("note: cached: client-bound") for line in lines)


def test_a_table_of_lane_mysql_alone_has_no_cache_in_it() -> None:
    summary = Summary(Race(lanes=("mysql",), processes=2), (MYSQL,), {})
    summary.add(frame(0, 1.0, FRAME.lanes[0]))
    lines = list(final_table(summary))
    assert not cells(lines, "  hits")
    assert "4 writers and 8 readers, 2 processes per role" in lines[1]


def test_ids_that_nobody_knows_are_shown_when_there_are_any() -> None:
    assert not cells(table(), "  skipped ids")
    summary = Summary(Race(lanes=("mysql",)), (MYSQL,), {})
    summary.add(frame(0, 1.0, replace(FRAME.lanes[0], cache=Cache(skipped=1_234))))
    assert cells(list(final_table(summary)), "  skipped ids") == [["1,234"]]


def test_what_servers_say_cannot_break_a_line_or_steer_a_terminal() -> None:
    event = Event(0.0, "mysql", "lost: \x1b[2Jgone\nmysql: racing")
    assert event_line(event) == "mysql: lost: \\x1b[2Jgone\\nmysql: racing"
    assert event_line(Event(0.0, None, "paused")) == "paused"
    nasty = replace(MYSQL, version="10\n\x1b]0;owned\x07", notes=("a\nb",))
    summary = Summary(Race(lanes=("mysql",)), (nasty,), {})
    broken = replace(FRAME.lanes[0], read=work(errors={"kind\r": 1}))
    summary.add(frame(0, 1.0, broken))
    assert all(line.isprintable() for line in final_table(summary))
