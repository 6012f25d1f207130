"""`python -m benchmarks.revisions OTHER`: this checkout beside another one, for changes that must cost no speed.

Each checkout runs in a process of its own, on private servers of its own, and drives its engine process as
`benchmarks.telemon_side` does. The two take turns, and which one goes first changes from pair to pair. Printed are the
medians of the pairs' ratios, this checkout / the other, each with an interval that holds the true median with at least
90 % confidence (order statistics of the ratios; no distribution is assumed).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from statistics import median
from typing import Self

ROOT = Path(__file__).resolve().parents[1]

CONFIDENCE = 0.9

LOADS = (
    ("durable", "read", 16),
    ("cached", "read", 16),
    ("mysql", "read", 16),
    ("durable", "write", 4),
)
"""Lane, role and connections of each comparison."""

DRIVER = """
import json, resource, sys
from contextlib import redirect_stdout
from benchmarks import telemon_side
try:
    from engines.provisioning.seed import seed_lanes as seed
except ImportError:
    from engines.lineup import prepare as seed
from engines.sandbox.sandbox import Sandbox

def processor_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

answers = sys.stdout
with redirect_stdout(sys.stderr), Sandbox(("mysql", "cached", "durable")) as sandbox:
    lanes = dict(sandbox.endpoints)
    seed(lanes, 1)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        lane, role, connections, seconds = json.loads(line)
        before_s = processor_s()
        reached = telemon_side.measure(lanes[lane], role, connections, seconds)
        used_us = (processor_s() - before_s) * 1e6 / (reached.per_s * (seconds + telemon_side.WARMUP_S))
        print(json.dumps([reached.per_s, reached.p50_us, used_us]), file=answers, flush=True)
"""
"""Runs in each checkout. The processor time is that of the engine process, its start included, per operation or row."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one checkout reached in one turn."""

    per_s: float
    p50_us: float
    processor_us: float


class Checkout:
    """A checkout with its servers, measured on demand. Entering it blocks until its servers are ready."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            cwd=root,
            # Before what the interpreter has installed, for the processes that the checkout starts too.
            env=os.environ | {"PYTHONPATH": str(root.resolve())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def measure(self, lane: str, role: str, connections: int, seconds: float) -> Sample:
        """Measure one load for `seconds` after a warm-up. Raises SystemExit where the checkout broke off."""
        assert self._process.stdin is not None
        print(json.dumps([lane, role, connections, seconds]), file=self._process.stdin, flush=True)
        return Sample(*json.loads(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a checkout broke off; what it said stands above")
        return line


def median_interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return the narrowest symmetric pair of order statistics that holds the median with `CONFIDENCE` or more.

    The number of ratios below the true median is binomial with p = 0.5. With too few ratios the extremes are returned.
    """
    ordered = sorted(ratios)
    count = len(ordered)
    for cut in range((count - 1) // 2, 0, -1):
        outside = 2 * sum(comb(count, below) for below in range(cut)) / 2**count
        if 1 - outside >= CONFIDENCE:
            return ordered[cut - 1], ordered[count - cut]
    return ordered[0], ordered[-1]


def main() -> int:
    """Print a line per load and figure; return 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revisions", description=__doc__)
    parser.add_argument("other", type=Path, help="the root of the other checkout")
    parser.add_argument("--pairs", type=int, default=15, help="pairs of measurements (15)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one (2)")
    parser.add_argument("--only", default="", help='only loads whose "lane role" holds this')
    options = parser.parse_args()
    loads = [load for load in LOADS if options.only in f"{load[0]} {load[1]}"]
    if not loads:
        parser.error(f"--only {options.only}: no load's lane and role hold that")
    with Checkout(ROOT) as ours, Checkout(options.other) as theirs:
        for load in loads:
            pairs: list[tuple[Sample, Sample]] = []
            for number in range(options.pairs):
                if number % 2:
                    their = theirs.measure(*load, options.seconds)
                    pairs.append((ours.measure(*load, options.seconds), their))
                else:
                    our = ours.measure(*load, options.seconds)
                    pairs.append((our, theirs.measure(*load, options.seconds)))
            for name in ("per_s", "p50_us", "processor_us"):
                ratios = [getattr(our, name) / getattr(their, name) for our, their in pairs]
                low, high = median_interval(ratios)
                print(
                    f"{load[0]} {load[1]} x{load[2]:<3} {name:<13} ratio {median(ratios):.3f}"
                    f"  90 % interval {low:.3f} to {high:.3f}  ({len(ratios)} pairs)",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
