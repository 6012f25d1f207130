"""A result's percentiles beside exact ones of the same samples.

The samples go all the way: through the histograms of several engine processes, reports, frames and the summary.
"""

from __future__ import annotations

from math import ceil
from random import Random
from typing import Any

import pytest

from engines.config.race_config import RaceConfig
from engines.metrics.frame import LaneState
from engines.metrics.histogram import Histogram
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats
from engines.model.environment import RaceEnvironment
from engines.race.aggregate import lane_frame
from engines.results.result_json import result_document
from engines.results.summary import Summary
from tests.support.frames import MYSQL, frame, report

ENGINES, INTERVALS, EACH = 3, 20, 2_000


def samples_ns(random: Random) -> list[int]:
    """Latencies as servers have them: around 60 us with a long tail, one in 500 behind a stall of up to 1 s."""
    return [
        int(random.uniform(0, 1e9))
        if random.random() < 0.002
        else int(random.lognormvariate(11.0, 0.6))
        for _ in range(EACH)
    ]


def exact_us(values_ns: list[int], share: float) -> float:
    """By its definition: the least value that so many are not above."""
    return sorted(values_ns)[ceil(share * len(values_ns)) - 1] / 1000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_percentile_of_a_result_is_within_one_percent_of_the_exact_one(seed: int) -> None:
    random = Random(seed)
    service, response = [Histogram() for _ in range(ENGINES)], [Histogram() for _ in range(ENGINES)]
    served: list[int] = []
    responded: list[int] = []
    summary = Summary(RaceConfig(lanes=("mysql",), writers=0), (MYSQL,), RaceEnvironment())
    for index in range(INTERVALS):
        reports = []
        for engine in range(ENGINES):
            for value_ns in samples_ns(random):
                waited_ns = int(random.expovariate(1 / 30_000))
                service[engine].record(value_ns)
                response[engine].record(value_ns + waited_ns)
                served.append(value_ns)
                responded.append(value_ns + waited_ns)
            work = RoleStats(
                operations=EACH,
                rows=EACH,
                service=service[engine].take(),
                response=response[engine].take(),
                interval_s=1.0,
            )
            reports.append([report(IntervalStats(work, CacheStats()), index=index)])
        lane = lane_frame("mysql", LaneState.RACING, {"read": reports}, {}, {})
        summary.add(frame(index, index + 1.0, lane))
    result: Any = result_document(summary)
    read = result["lanes"][0]["read"]
    assert read["operations"] == len(served)
    for shown, values_ns in ((read["service_us"], served), (read["response_us"], responded)):
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)):
            assert shown[name] == pytest.approx(exact_us(values_ns, share), rel=0.01), name
        assert shown["mean"] == pytest.approx(sum(values_ns) / len(values_ns) / 1000, abs=0.06)
        assert shown["min"] == pytest.approx(min(values_ns) / 1000, abs=0.06)
        assert shown["max"] == pytest.approx(max(values_ns) / 1000, abs=0.06)
