"""A race as lines of text."""

from __future__ import annotations

from dataclasses import replace

from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.stats import CacheStats, ClientStats
from tests.support.frames import frame, latencies, work
from tui.report.interval_lines import frame_lines, header

BOUND = ClientStats(cpu_share=0.91, loop_lag=latencies([20.0]))

FRAME = frame(
    0,
    1.0,
    LaneFrame("mysql", LaneState.RACING, write=work([2500.0] * 20, rows_each=100)),
    LaneFrame(
        "cached",
        LaneState.RECONNECTING,
        write=work([1.0], errors={"mysql_2013": 1_000}),
        read=work([7.0] * 4, errors={"redis_lost": 234}),
        cache=CacheStats(hits=3, misses=1),
        client=BOUND,
    ),
)


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
        *(
            "4",
            "0.007",
            "0.007",
            "3",
            "1",
            "1,234",
            "client-bound:",
            "cpu",
            "91",
            "%",
            "of",
            "a",
            "core",
        ),
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
        cache=CacheStats(hits=9_999_999, misses=999_999),
    )
    (line,) = frame_lines(frame(0, 86_400.0, fast))
    assert len(line) == len(header())


def test_an_open_loop_has_response_times_and_a_backlog_beside_its_service_times() -> None:
    paced = LaneFrame(
        "durable",
        LaneState.RACING,
        write=work([2_000.0] * 10, response=latencies([500_000.0] * 10)),
        read=work([1_000.0] * 4, response=latencies([3_000.0] * 4)),
        backlog={"write": 1_234, "read": 5},
        overloaded=True,
    )
    (line,) = frame_lines(frame(0, 1.0, paced), paced=True)
    titles = header(paced=True).split()
    assert titles[3:8] == ["write_rows/s", "serv_p50", "serv_p99", "resp_p99", "backlog"]
    assert titles[8:13] == ["read_rows/s", "serv_p50", "serv_p99", "resp_p99", "backlog"]
    assert line.split()[3:8] == ["10", "2.000", "2.000", "500.000", "1,234"]
    assert line.split()[8:13] == ["4", "1.000", "1.000", "3.000", "5"]
    assert line.endswith("  overloaded")
    end = header(paced=True).rindex("backlog") + len("backlog")
    assert line[end - 1] == "5"


def test_in_heats_the_lanes_at_rest_are_not_shown() -> None:
    racing = LaneFrame("mysql", LaneState.RACING, read=work([1.0]), heat=2)
    over = LaneFrame("cached", LaneState.DONE, heat=2)
    waiting = LaneFrame("durable", LaneState.STARTING, heat=1)
    last = replace(racing, lane="durable", state=LaneState.DONE)
    shown = list(frame_lines(frame(0, 1.0, racing, over, waiting, last), heats=True))
    assert [line.split()[1:3] for line in shown] == [["mysql", "racing"], ["durable", "done"]]
    assert shown[0].endswith("  round 2")
    assert len(list(frame_lines(frame(0, 1.0, racing, over, waiting)))) == 3
