"""`make bench`: one engine process beside redis-benchmark and sysbench, alternating, on the same private servers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

from engines.sandbox.sandbox import Sandbox

from benchmarks import redis_benchmark, sysbench, telemon_side
from benchmarks.measured import Measured, Pairs
from engines.endpoint import LaneEndpoints
from engines.lineup import prepare

Side = Callable[[], Measured]


@dataclass(frozen=True, slots=True)
class Bar:
    """What telemon means to reach: at least this throughput ratio, at most this ratio of p50 (None: no bar)."""

    throughput: float | None
    p50: float | None


def alternate(
    name: str, peer: str, connections: int, ours: Side, theirs: Side, pairs: int
) -> Pairs:
    """Measure both sides in turn, `pairs` times."""
    measured = []
    for pair in range(pairs):
        # The side that goes first changes, so that what the first leaves behind favours neither.
        first, second = (ours, theirs) if pair % 2 == 0 else (theirs, ours)
        one, two = first(), second()
        measured.append((one, two) if pair % 2 == 0 else (two, one))
        print(".", end="", file=sys.stderr, flush=True)
    return Pairs(name, peer, connections, [o for o, _ in measured], [t for _, t in measured])


def races(lanes: dict[str, LaneEndpoints], seconds: float, pairs: int) -> list[tuple[Pairs, Bar]]:
    """Every pairing with its bar."""
    cluster, mysql = lanes["durable"].redis, lanes["mysql"].mysql
    assert cluster is not None
    assert mysql is not None
    redis_benchmark.measure(cluster, "set", 4, 20_000)
    measured = []
    for connections, bar in ((16, Bar(0.85, None)), (1, Bar(None, 1.25))):
        requests = int(seconds * (80_000 if connections > 1 else 15_000))
        measured.append(
            (
                alternate(
                    "durable reads",
                    "redis-benchmark --cluster GET",
                    connections,
                    lambda c=connections: telemon_side.measure(
                        lanes["durable"], "read", c, seconds
                    ),  # type: ignore[misc]
                    lambda c=connections, n=requests: redis_benchmark.measure(cluster, "get", c, n),  # type: ignore[misc]
                    pairs,
                ),
                bar,
            )
        )
    for connections, bar in ((16, Bar(0.7, None)), (1, Bar(None, 1.25))):
        measured.append(
            (
                alternate(
                    "mysql reads",
                    "sysbench, the same SELECT",
                    connections,
                    lambda c=connections: telemon_side.measure(lanes["mysql"], "read", c, seconds),  # type: ignore[misc]
                    lambda c=connections: sysbench.measure_selects(mysql, c, seconds),  # type: ignore[misc]
                    pairs,
                ),
                bar,
            )
        )
    return measured


def verdict(pairs: Pairs, bar: Bar) -> str:
    """Whether the bar is reached, in a word; empty without a bar."""
    if bar.throughput is not None:
        return f">= {bar.throughput:g} " + (
            "reached" if pairs.throughput_ratio >= bar.throughput else "MISSED"
        )
    if bar.p50 is not None:
        return f"<= {bar.p50:g} " + ("reached" if pairs.p50_ratio <= bar.p50 else "MISSED")
    return ""


def main() -> int:
    """Print the table, or JSON; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="pairs of measurements (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with Sandbox(
        ("mysql", "durable"), on_progress=lambda text: print(text, file=sys.stderr)
    ) as sandbox:
        lanes = dict(sandbox.endpoints)
        prepare({lane: lanes[lane] for lane in ("mysql", "durable")}, seed=1)
        results = races(lanes, options.seconds, options.pairs)
    print(file=sys.stderr)
    if options.json:
        print(json.dumps([_as_json(pairs, bar) for pairs, bar in results], indent=2))
    else:
        head = (
            "telemon",
            "peer",
            "conn",
            "ops/s",
            "peer ops/s",
            "ratio",
            "p50 us",
            "peer p50",
            "p50 ratio",
            "bar",
        )
        print("{:<16}{:<32}{:>5}{:>10}{:>12}{:>7}{:>9}{:>10}{:>11}  {}".format(*head))
        for pairs, bar in results:
            row = _as_json(pairs, bar)
            print(
                f"{pairs.name:<16}{pairs.peer:<32}{pairs.connections:>5}{row['per_s']:>10,.0f}"
                f"{row['peer_per_s']:>12,.0f}{row['throughput_ratio']:>7.2f}{row['p50_us']:>9.0f}"
                f"{row['peer_p50_us']:>10.0f}{row['p50_ratio']:>11.2f}  {row['bar']}"
            )
    return int(any("MISSED" in verdict(pairs, bar) for pairs, bar in results))


def _as_json(pairs: Pairs, bar: Bar) -> dict[str, object]:
    from statistics import median

    return {
        "name": pairs.name,
        "peer": pairs.peer,
        "connections": pairs.connections,
        "pairs": len(pairs.ours),
        "per_s": median(one.per_s for one in pairs.ours),
        "peer_per_s": median(one.per_s for one in pairs.theirs),
        "throughput_ratio": pairs.throughput_ratio,
        "p50_us": median(one.p50_us for one in pairs.ours),
        "peer_p50_us": median(one.p50_us for one in pairs.theirs),
        "p50_ratio": pairs.p50_ratio,
        "bar": verdict(pairs, bar),
    }


if __name__ == "__main__":
    sys.exit(main())
