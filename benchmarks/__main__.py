"""`make bench`: one engine process beside redis-benchmark, sysbench and the slides' loops.

The sides alternate on the same private servers; what is printed are the medians of the pairs and of their ratios.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from statistics import median

from benchmarks import redis_benchmark
from benchmarks.circumstances import PEERS, circumstances, sentence
from benchmarks.measured import Measured, Pairs
from benchmarks.pairings import Pairing, pairings
from engines.model.lanes import LANES
from engines.provisioning.seed import seed_lanes
from engines.sandbox.sandbox import Sandbox


def alternate(pairing: Pairing, pairs: int) -> Pairs:
    """Measure both sides in turn, `pairs` times."""
    ours: list[Measured] = []
    theirs: list[Measured] = []
    for pair in range(pairs):
        # The side that goes first changes, so that what the first leaves behind favours neither.
        sides = [(ours, pairing.ours), (theirs, pairing.theirs)]
        for kept, measure in sides if pair % 2 == 0 else reversed(sides):
            kept.append(measure())
        print(".", end="", file=sys.stderr, flush=True)
    return Pairs(ours, theirs)


def verdict(pairing: Pairing, pairs: Pairs) -> str:
    """The bars, and whether they are reached; empty without a bar."""
    words = []
    if pairing.throughput_bar is not None:
        reached = pairs.throughput_ratio >= pairing.throughput_bar
        words.append(
            f"throughput >= {pairing.throughput_bar:g} {'reached' if reached else 'MISSED'}"
        )
    if pairing.p50_bar is not None:
        reached = pairs.p50_ratio <= pairing.p50_bar
        words.append(f"p50 <= {pairing.p50_bar:g} {'reached' if reached else 'MISSED'}")
    if pairing.p50_least is not None:
        reached = pairs.p50_ratio >= pairing.p50_least
        words.append(f"p50 >= {pairing.p50_least:g} {'reached' if reached else 'MISSED'}")
    return ", ".join(words)


def row(pairing: Pairing, pairs: Pairs) -> dict[str, object]:
    """A pairing's figures by name."""
    return {
        "name": pairing.name,
        "peer": pairing.peer,
        "connections": pairing.connections,
        "per_s": median(one.per_s for one in pairs.ours),
        "peer_per_s": median(one.per_s for one in pairs.theirs),
        "throughput_ratio": pairs.throughput_ratio,
        "throughput_ratios": list(pairs.throughput_ratios),
        "p50_us": median(one.p50_us for one in pairs.ours),
        "peer_p50_us": median(one.p50_us for one in pairs.theirs),
        "p50_ratio": pairs.p50_ratio,
        "p50_ratios": list(pairs.p50_ratios),
        "bars": verdict(pairing, pairs),
    }


HEAD = "{:<26}{:<30}{:>5}{:>11}{:>11}{:>7}{:>9}{:>9}{:>7}  {}"
LINE = (
    "{name:<26}{peer:<30}{connections:>5}{per_s:>11,.0f}{peer_per_s:>11,.0f}{throughput_ratio:>7.2f}"
    "{p50_us:>9,.0f}{peer_p50_us:>9,.0f}{p50_ratio:>7.2f}  {bars}"
)


def main() -> int:
    """Print the table, or JSON; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="pairs of measurements (7)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one (3)")
    parser.add_argument("--only", default="", help="only pairings whose name holds this")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.pairs < 1 or options.seconds <= 0:
        parser.error("--pairs must be at least 1 and --seconds above 0")
    for peer in PEERS:
        if shutil.which(peer) is None:
            parser.error(f"{peer} is not installed; `make bench` installs it")
    rows = []
    with Sandbox(LANES, on_progress=lambda text: print(text, file=sys.stderr)) as sandbox:
        lanes = dict(sandbox.endpoints)
        seed_lanes(lanes, seed=1)
        for lane in ("cached", "durable"):
            server = lanes[lane].redis
            assert server is not None
            redis_benchmark.measure(server, "set", 4, 20_000)
        chosen = [one for one in pairings(lanes, options.seconds) if options.only in one.name]
        if not chosen:
            names = ", ".join(sorted({one.name for one in pairings(lanes, options.seconds)}))
            parser.error(f"--only {options.only}: no pairing's name holds that; there are {names}")
        under = circumstances(sandbox.servers, options.pairs, options.seconds)
        if not options.json:
            print(sentence(under))
            print(
                HEAD.format(
                    *(
                        "telemon",
                        "peer",
                        "conn",
                        "per s",
                        "peer",
                        "ratio",
                        "p50 us",
                        "peer",
                        "ratio",
                        "bars",
                    )
                )
            )
        for pairing in chosen:
            rows.append(row(pairing, alternate(pairing, options.pairs * pairing.parts)))
            if not options.json:
                print(LINE.format(**rows[-1]), flush=True)
    print(file=sys.stderr)
    if options.json:
        print(json.dumps({**under, "pairings": rows}, indent=2))
    return int(any("MISSED" in str(one["bars"]) for one in rows))


if __name__ == "__main__":
    sys.exit(main())
