"""`python -m benchmarks.terminal`: what the screen costs, and that a slow terminal costs the race nothing.

Cost: made-up frames in which every number and every chart moves, four per second, in a pseudo-terminal of 160x48 and
one of 80x24; bytes per frame, share of a core and the longest stall of the event loop, once the screen has settled.

A slow terminal: races on private servers, in turn without a screen (twice) and with one in a pseudo-terminal that takes
in 20 kB/s. By lane and role, how far the two without a screen are from each other, and how far the one with it is from
them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tests.support.pty import OnPty
from tests.support.pty_race import HEADLESS, SCREEN

FPS = 4
SETTLE_S = 4.0
"""From the first picture: imports, styles and layout belong to the start."""

SLOW_BYTES_PER_S = 20_000
RESOLUTION = 0.01
"""Nearer to each other two figures need not be: a histogram's buckets are 0.8 % wide."""

METRICS = ("rows_per_s", "p50_us", "p99_us")


@dataclass(frozen=True, slots=True)
class Bars:
    """What a frame, four frames per second, and the event loop may cost."""

    bytes_per_frame: float
    cpu_share: float = 0.10
    stall_s: float = 0.050


BARS = {(160, 48): Bars(8_000), (80, 24): Bars(2_500)}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost, between two moments in the race; the stall is the longest since the screen had settled.

    `waited_share` is how much of the time the process was ready to run and had no processor: on a busy machine that is
    what a stall consists of.
    """

    bytes_per_frame: float
    cpu_share: float
    stall_s: float
    waited_share: float


def cost(size: tuple[int, int], seconds: float) -> Cost:
    """Show made-up frames for `seconds` in a terminal that takes in whatever comes."""
    frames = round((SETTLE_S + seconds + 2) * FPS)
    arguments = ("--frames", str(frames), "--interval", str(1 / FPS), "--fps", str(FPS))
    with OnPty(*arguments, size=size) as screen:
        if not screen.drain_until(b"racing", 30):
            raise SystemExit("the screen does not start")
        screen.drain(SETTLE_S)
        process = psutil.Process(screen.process.pid)
        began_s, began_cpu_s, began_waited_s, began_bytes = _now(process, screen)
        screen.drain(seconds)
        ended_s, ended_cpu_s, ended_waited_s, ended_bytes = _now(process, screen)
        _, told = screen.result(30)
    wall_s = ended_s - began_s
    return Cost(
        (ended_bytes - began_bytes) / (wall_s * FPS),
        (ended_cpu_s - began_cpu_s) / wall_s,
        json.loads(told)["lag_s"],
        (ended_waited_s - began_waited_s) / wall_s,
    )


def _now(process: psutil.Process, screen: OnPty) -> tuple[float, float, float, int]:
    """The time, the processor time used, the time waited for a processor (proc(5), schedstat), the bytes received."""
    used = process.cpu_times()
    waited_ns = 0
    for schedstat in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
        waited_ns += int(schedstat.read_text().split()[1])
    return time.monotonic(), used.user + used.system, waited_ns / 1e9, len(screen.received)


def costs(rounds: int, seconds: float) -> list[dict[str, object]]:
    """A row for each size: the medians of the rounds, the longest of all stalls, and what may be."""
    rows = []
    for size, bars in BARS.items():
        runs = [cost(size, seconds) for _ in range(rounds)]
        reached = Cost(
            median(run.bytes_per_frame for run in runs),
            median(run.cpu_share for run in runs),
            max(run.stall_s for run in runs),
            median(run.waited_share for run in runs),
        )
        missed = [name for name, bar in asdict(bars).items() if getattr(reached, name) > bar]
        rows.append(
            {
                "size": f"{size[0]}x{size[1]}",
                **asdict(reached),
                "stalls_s": [run.stall_s for run in runs],
                "bars": asdict(bars),
                "missed": missed,
            }
        )
    return rows


def races(rounds: int, seconds: float, batch: int, rate: float | None) -> list[dict[str, Any]]:
    """Two races without a screen and one behind a slow terminal, `rounds` times, each of the three first in turn."""
    order: list[str] = []
    turn = [HEADLESS, HEADLESS, SCREEN]
    for _ in range(rounds):
        order += turn
        turn = [*turn[1:], turn[0]]
    arguments = ["--races", ",".join(order), "--duration", str(seconds), "--unheeded", "3"]
    arguments += ["--batch", str(batch)]
    if rate is not None:
        arguments += ["--rate", str(rate)]
    with OnPty(
        *arguments,
        size=(160, 48),
        rate_bytes_per_s=SLOW_BYTES_PER_S,
        module="tests.support.pty_race",
    ) as screen:
        code, told = screen.result(30 + (seconds + 10) * (len(order) + 1))
        if code:
            raise SystemExit(screen.received[-1000:].decode(errors="replace"))
    return [json.loads(line) for line in told.splitlines()]


def apart(one: float, other: float) -> float:
    """How far two figures are from each other, as a share of their mean."""
    return abs(one - other) / ((one + other) / 2) if one + other else 0.0


def comparison(ran: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """A row for each lane, role and figure: medians without and with the screen, and how far two races are apart."""
    rounds = [ran[at : at + 3] for at in range(0, len(ran), 3)]
    rows = []
    for lane, roles in ran[0]["lanes"].items():
        for role in roles:
            for metric in METRICS:
                plain: list[float] = []
                slow: list[float] = []
                noise: list[float] = []
                shift: list[float] = []
                for three in rounds:
                    without = [
                        r["lanes"][lane][role][metric] for r in three if r["race"] == HEADLESS
                    ]
                    (shown,) = (
                        r["lanes"][lane][role][metric] for r in three if r["race"] == SCREEN
                    )
                    plain += without
                    slow.append(shown)
                    noise += [apart(*pair) for pair in combinations(without, 2)]
                    shift += [apart(shown, each) for each in without]
                rows.append(
                    {
                        "lane": lane, "role": role, "figure": metric,
                        "headless": median(plain), "slow_terminal": median(slow),
                        "ratio": median(slow) / median(plain) if median(plain) else 1.0,
                        "headless_apart": median(noise), "headless_apart_max": max(noise),
                        "slow_apart": median(shift),
                        "within": median(shift) <= max(RESOLUTION, *noise),
                    }
                )  # fmt: skip
    return rows


COST_LINE = "{size:<8}{bytes_per_frame:>12,.0f}{cpu_share:>11.1%}{stall_ms:>12.0f}{waited_share:>9.1%}   {verdict}"
LINE = (
    "{lane:<9}{role:<7}{figure:<12}{headless:>12,.0f}{slow_terminal:>12,.0f}{ratio:>8.3f}{headless_apart:>10.1%}"
    "{headless_apart_max:>9.1%}{slow_apart:>9.1%}   {verdict}"
)


def print_costs(rows: Sequence[Mapping[str, Any]]) -> None:
    """The first table."""
    print(f"{'size':<8}{'bytes/frame':>12}{'CPU share':>11}{'stall ms':>12}{'waited':>9}   bars")
    for row in rows:
        bars = row["bars"]
        verdict = f"{bars['bytes_per_frame']:,.0f}, {bars['cpu_share']:.0%}, {bars['stall_s'] * 1000:.0f} ms "
        verdict += f"MISSED {', '.join(row['missed'])}" if row["missed"] else "reached"
        print(COST_LINE.format(**row, stall_ms=row["stall_s"] * 1000, verdict=verdict))


def print_comparison(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """One table for each load: how far two headless races are apart, at most, and the slow one from them."""
    print(f"\n{title}")
    print(
        f"{'lane':<9}{'role':<7}{'figure':<12}{'headless':>12}{'slow':>12}{'ratio':>8}"
        f"{'apart':>10}{'most':>9}{'slow':>9}"
    )
    for row in rows:
        print(LINE.format(**row, verdict="within" if row["within"] else "FARTHER"))


def main() -> int:
    """Print the tables, or JSON; 1 when the screen costs more than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.terminal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one race (5)")
    parser.add_argument("--rate", type=float, default=200.0, help="of the paced races (200)")
    parser.add_argument("--batch", type=int, default=10, help="rows of a batch in the races (10)")
    parser.add_argument("--only", choices=("cost", "slow"), help="only one of the two parts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if options.only != "slow":
        found["cost"] = costs(options.rounds, options.seconds)
        if not options.json:
            print_costs(found["cost"])
    if options.only != "cost":
        for name, rate in (("pace", options.rate), ("saturate", None)):
            ran = races(options.rounds, options.seconds, options.batch, rate)
            found[name] = comparison(ran)
            shown = [(one["shown"], one["frames"]) for one in ran if one["race"] == SCREEN]
            if not options.json:
                pictures = ", ".join(f"{few} of {all_}" for few, all_ in shown)
                load = name if rate is None else f"{name}, {rate:g} operations per second and role"
                print_comparison(f"{load}; pictures shown: {pictures}", found[name])
    if options.json:
        print(json.dumps(found, indent=2))
    return int(any(row["missed"] for row in found.get("cost", ())))


if __name__ == "__main__":
    sys.exit(main())
