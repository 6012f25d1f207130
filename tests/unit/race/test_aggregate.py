"""Deltas of several engines as one lane."""

from __future__ import annotations

from dataclasses import replace

from engines.ipc.messages import IntervalReport
from engines.metrics.frame import LaneState
from engines.metrics.histogram import Histogram, LatencyDistribution
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats
from engines.race.aggregate import lane_frame
from tests.support import frames


def latencies(*values_ns: int) -> LatencyDistribution:
    histogram = Histogram()
    for value_ns in values_ns:
        histogram.record(value_ns)
    return histogram.take()


def counted(
    rows: int, interval_s: float = 1.0, errors: dict[str, int] | None = None
) -> IntervalStats:
    work = RoleStats(
        operations=rows,
        rows=rows,
        service=latencies(*[1_000 * (n + 1) for n in range(rows)]),
        errors=errors or {},
        interval_s=interval_s,
    )
    return IntervalStats(work, CacheStats(hits=rows))


def report(
    measured: IntervalStats, warm: IntervalStats | None = None, cpu_share: float = 0.1
) -> IntervalReport:
    return frames.report(
        measured, warm or counted(0), cpu_share=cpu_share, redirects=1, reconnects=2
    )


def test_engines_of_a_role_add_up_over_their_mean_interval() -> None:
    frame = lane_frame(
        "durable",
        LaneState.RACING,
        {
            "write": [[report(counted(2))]],
            "read": [
                [report(counted(3, 0.5, {"x": 1}), cpu_share=0.9)],
                [report(counted(5, 1.5, {"x": 2, "y": 1}))],
            ],
        },
        {},
        {},
    )
    assert (frame.write.rows, frame.read.rows) == (2, 8)
    assert frame.read.interval_s == 1.0
    assert frame.read.rows_per_s == 8.0
    assert frame.read.errors == {"x": 3, "y": 1}
    assert frame.read.service.count == 8
    assert frame.cache.hits == 8
    assert (frame.redirects, frame.reconnects) == (3, 6)
    assert frame.client.cpu_share == 0.9
    assert frame.client.client_bound


def test_a_late_engine_s_deltas_come_together_over_their_whole_time() -> None:
    frame = lane_frame(
        "mysql",
        LaneState.RACING,
        {"write": [[report(counted(2, 1.0)), report(counted(4, 2.0))]], "read": [[]]},
        {},
        {},
    )
    assert frame.write.interval_s == 3.0
    assert frame.write.rows_per_s == 2.0
    assert frame.read == RoleStats()


def test_while_warming_only_the_warm_up_shows_and_afterwards_only_what_is_measured() -> None:
    reports = {"write": [[report(counted(2), warm=counted(7))]]}
    warming = lane_frame("mysql", LaneState.WARMING, reports, {}, {})  # type: ignore[arg-type]
    racing = lane_frame("mysql", LaneState.RACING, reports, {}, {})  # type: ignore[arg-type]
    assert (warming.write.rows, racing.write.rows) == (7, 2)


def test_a_dead_engine_is_an_error_of_its_role() -> None:
    frame = lane_frame("mysql", LaneState.DOWN, {"write": [[]], "read": [[]]}, {}, {"read": 1})
    assert frame.read.errors == {"engine_died": 1}
    assert frame.write.errors == {}


def test_the_lag_of_a_lane_is_that_of_its_worst_engine() -> None:
    """Of writers that are rarely woken, and always late, beside readers that are woken all the time."""
    late, prompt = latencies(*[4_000_000] * 20), latencies(*[10_000] * 100_000)
    writers = replace(report(counted(0)), loop_lag=late, cpu_loop_lag=late)
    readers = replace(report(counted(0)), loop_lag=prompt, cpu_loop_lag=prompt)
    client = lane_frame(
        "mysql", LaneState.RACING, {"write": [[writers]], "read": [[readers]]}, {}, {}
    ).client
    assert client.bound_by == "loop lag p99 4.0 ms"
    assert (client.loop_lag, client.cpu_loop_lag) == (late, late)
    # What one engine reported in several parts is one engine's.
    parts = [writers, writers, replace(writers, cpu_loop_lag=prompt, loop_lag=prompt)]
    client = lane_frame("mysql", LaneState.RACING, {"write": [parts]}, {}, {}).client
    assert client.cpu_loop_lag.count == 100_040
    # A reply or two that waited are chance, though longer than those of the others.
    chance = replace(report(counted(0)), cpu_loop_lag=latencies(9_000_000))
    client = lane_frame(
        "mysql", LaneState.RACING, {"write": [[writers]], "read": [[chance]]}, {}, {}
    ).client
    assert client.cpu_loop_lag == late
