"""`python -m benchmarks.scale`: throughput and p99 over connections and engine processes, as a table and a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.picture import Line, Panel, picture
from benchmarks.telemon_side import Load, Reached, race
from engines.model.lanes import LANES
from engines.model.roles import Role
from engines.provisioning.seed import seed_lanes
from engines.sandbox.sandbox import Sandbox

CONNECTIONS = (1, 4, 16, 64, 256)
PROCESSES = (1, 2, 4)
ROLES: tuple[Role, ...] = ("read", "write")

Key = tuple[str, Role, int, int]
"""Lane, role, processes, connections."""


def measure(seconds: float) -> dict[Key, Reached]:
    """Every lane and role alone, with every number of processes and connections that fit together."""
    reached: dict[Key, Reached] = {}
    with Sandbox(LANES, on_progress=lambda text: print(text, file=sys.stderr)) as sandbox:
        lanes = dict(sandbox.endpoints)
        seed_lanes(lanes, seed=1)
        for lane in LANES:
            for role in ROLES:
                for processes in PROCESSES:
                    for connections in CONNECTIONS:
                        if connections >= processes:
                            load = Load(lanes[lane], role, connections, processes)
                            reached[lane, role, processes, connections] = race(load, seconds)
                            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return reached


def table(reached: dict[Key, Reached]) -> str:
    """Rows per second and p99 in Markdown: a line per lane, role and number of processes."""
    lines = [
        "| lane | role | processes | "
        + " | ".join(f"{count} conn" for count in CONNECTIONS)
        + " |",
        "|---|---|---|" + "---|" * len(CONNECTIONS),
    ]
    for lane in LANES:
        for role in ROLES:
            for processes in PROCESSES:
                cells = []
                for connections in CONNECTIONS:
                    one = reached.get((lane, role, processes, connections))
                    cells.append(
                        f"{one.per_s:,.0f}/s, {one.service.percentile_us(99) / 1000:.2f} ms"
                        if one
                        else "-"
                    )
                lines.append(f"| {lane} | {role} | {processes} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory_table(reached: dict[Key, Reached]) -> str:
    """What one engine process holds with the fewest and the most connections, and what that makes each, in
    Markdown."""
    few, many = CONNECTIONS[0], CONNECTIONS[-1]
    lines = [
        f"| lane | role | {few} conn | {many} conn | a connection more |",
        "|---|---|---|---|---|",
    ]
    for lane in LANES:
        for role in ROLES:
            low, high = reached[lane, role, 1, few], reached[lane, role, 1, many]
            each_bytes = (high.memory_bytes - low.memory_bytes) / (many - few)
            lines.append(
                f"| {lane} | {role} | {low.memory_bytes / 1e6:.1f} MB | {high.memory_bytes / 1e6:.1f} MB | "
                f"{each_bytes / 1000:.0f} kB |"
            )
    return "\n".join(lines)


def _processes(count: int) -> str:
    return f"{count} engine process{'es' if count > 1 else ''}"


def panels(reached: dict[Key, Reached]) -> list[Panel]:
    """Throughput above, p99 below, a column per role; a line per lane and number of processes."""
    drawn = []
    for what in ("rows per second", "p99 in ms"):
        for role in ROLES:
            lines = []
            for lane in LANES:
                for processes in PROCESSES:
                    points = [
                        (
                            connections,
                            one.per_s
                            if what == "rows per second"
                            else one.service.percentile_us(99) / 1000,
                        )
                        for connections in CONNECTIONS
                        if (one := reached.get((lane, role, processes, connections)))
                    ]
                    lines.append(
                        Line(
                            f"{lane}, {_processes(processes)}",
                            points,
                            list(LANES).index(lane),
                            processes,
                        )
                    )
            drawn.append(Panel(f"{role}s: {what}", lines))
    return drawn


def main() -> None:
    """Print both tables, in Markdown; with --picture, write the picture too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="length of one measurement (1.5)"
    )
    parser.add_argument("--picture", type=Path, help="an SVG file to write")
    options = parser.parse_args()
    reached = measure(options.seconds)
    print(table(reached), end="\n\n")
    print(memory_table(reached))
    if options.picture:
        options.picture.write_text(picture(panels(reached)))


if __name__ == "__main__":
    main()
