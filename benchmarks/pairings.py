"""Who is measured beside whom, and what telemon means to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks import redis_benchmark, slides, sysbench, telemon_side
from benchmarks.measured import Measured
from engines.endpoints.endpoint import LaneEndpoints
from engines.model.roles import Role

Side = Callable[[], Measured]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two sides that do the same work on the same servers. `throughput_bar` is the least ratio ours / theirs
    and `p50_bar` the largest, `p50_least` the least ratio of p50; None where there is no bar. `parts` is how many
    shorter pairs stand for one."""

    name: str
    peer: str
    connections: int
    ours: Side
    theirs: Side
    throughput_bar: float | None = None
    p50_bar: float | None = None
    p50_least: float | None = None
    parts: int = 1


BRIEF_PARTS = 3
"""With a single connection a median of 100 us moves by a tenth with the spells of the machine: the sides alternate as
often as can be in the same time. Several connections are not measured so briefly, since redis-benchmark looks only
every 250 ms whether it is done."""


def pairings(lanes: Mapping[str, LaneEndpoints], seconds: float) -> list[Pairing]:
    """Every pairing, on the servers of `lanes`, each side measured for about `seconds`."""
    mysql, cache = lanes["mysql"].mysql, lanes["cached"].redis
    cluster, cached_mysql = lanes["durable"].redis, lanes["cached"].mysql
    assert mysql is not None
    assert cache is not None
    assert cluster is not None
    assert cached_mysql is not None

    def ours(lane: str, role: Role, connections: int, preset: str = "fair") -> Side:
        return lambda: telemon_side.measure(lanes[lane], role, connections, seconds, preset)

    def our_reads_alone(lane: str) -> Side:
        return lambda: telemon_side.measure(lanes[lane], "read", 1, brief)

    brief = seconds / BRIEF_PARTS
    many, few = int(seconds * 80_000), int(brief * 10_000)
    return [
        Pairing(
            "durable reads",
            "redis-benchmark --cluster GET",
            16,
            ours("durable", "read", 16),
            lambda: redis_benchmark.measure(cluster, "get", 16, many),
            throughput_bar=0.95,
        ),
        Pairing(
            "durable reads",
            "the same on --threads 1",
            16,
            ours("durable", "read", 16),
            lambda: redis_benchmark.measure(cluster, "get", 16, many, threads=1),
        ),
        Pairing(
            "durable reads",
            "redis-benchmark --cluster GET",
            1,
            our_reads_alone("durable"),
            lambda: redis_benchmark.measure(cluster, "get", 1, few),
            p50_bar=1.15,
            p50_least=0.85,
            parts=BRIEF_PARTS,
        ),
        Pairing(
            "cached reads, all hits",
            "redis-benchmark GET",
            16,
            ours("cached", "read", 16),
            lambda: redis_benchmark.measure(cache, "get", 16, many),
            throughput_bar=1.0,
        ),
        Pairing(
            "cached reads, all hits",
            "redis-benchmark GET",
            1,
            our_reads_alone("cached"),
            lambda: redis_benchmark.measure(cache, "get", 1, few),
            p50_bar=1.15,
            p50_least=0.85,
            parts=BRIEF_PARTS,
        ),
        Pairing(
            "mysql reads",
            "sysbench, same SELECT",
            16,
            ours("mysql", "read", 16),
            lambda: sysbench.measure_selects(mysql, 16, seconds),
            throughput_bar=0.8,
        ),
        Pairing(
            "mysql reads",
            "sysbench, same SELECT",
            1,
            our_reads_alone("mysql"),
            lambda: sysbench.measure_selects(mysql, 1, brief),
            p50_bar=1.15,
            parts=BRIEF_PARTS,
        ),
        Pairing(
            "durable writes, batch 100",
            "redis-benchmark SET -P 100",
            4,
            ours("durable", "write", 4),
            lambda: redis_benchmark.measure(
                cluster, "set", 4, int(seconds * 200_000), pipeline=100
            ),
            throughput_bar=0.5,
        ),
        Pairing(
            "mysql writes, batch 100",
            "sysbench, same statement",
            4,
            ours("mysql", "write", 4),
            lambda: sysbench.measure_upserts(mysql, 4, seconds),
            throughput_bar=0.9,
        ),
        *(
            Pairing(f"deck: {name}", "the slide's loop", 1, side, slide, 1.0, 1.0)
            for name, side, slide in (
                (
                    "mysql writes",
                    ours("mysql", "write", 1, "deck"),
                    lambda: slides.write_mysql(mysql, seconds),
                ),
                (
                    "mysql reads",
                    ours("mysql", "read", 1, "deck"),
                    lambda: slides.read_mysql(mysql, seconds),
                ),
                (
                    "cached reads",
                    ours("cached", "read", 1, "deck"),
                    lambda: slides.read_cached(cache, cached_mysql, seconds),
                ),
                (
                    "durable writes",
                    ours("durable", "write", 1, "deck"),
                    lambda: slides.write_durable(cluster, seconds),
                ),
                (
                    "durable reads",
                    ours("durable", "read", 1, "deck"),
                    lambda: slides.read_durable(cluster, seconds),
                ),
            )
        ),
    ]
