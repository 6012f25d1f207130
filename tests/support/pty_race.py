"""The program that runs real races in a pseudo-terminal, with the screen and without, on private servers of its own.

One line of JSON for each race goes to a descriptor: what it came to, by lane and role.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import replace

from engines.config.race_config import RaceConfig as Settings
from engines.metrics.frame import Frame, LaneFrame
from engines.metrics.stats import RoleStats
from engines.model.lanes import LANES
from engines.race.race import Race
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from engines.source import ProgressCallback
from tui.app.app import FRAME_INTERVAL_S, TelemonApp
from tui.terminal.capabilities import Terminal

HEADLESS, SCREEN = "headless", "screen"


def figures(work: RoleStats, lane: LaneFrame, role: str) -> dict[str, float]:
    """What one role of one lane came to; `due` counts what was done, failed, or due and never begun."""
    return {
        "due": work.operations + work.failed + lane.backlog.get(role, 0),
        "operations": work.operations,
        "rows_per_s": work.rows_per_s,
        "p50_us": work.service.percentile_us(50),
        "p99_us": work.service.percentile_us(99),
    }


class Counted(Race):
    """A race that counts its frames."""

    count = 0

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            self.count += 1
            yield frame


def headless(settings: Settings, sandbox: Sandbox) -> tuple[Summary, int, int]:
    """A race without a screen: its summary, how many frames it had, how many were shown."""
    with Counted(settings, interval_s=FRAME_INTERVAL_S, sandbox=sandbox) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        for frame in race.frames():
            summary.add(frame)
        return summary, race.count, 0


def on_screen(settings: Settings, sandbox: Sandbox) -> tuple[Summary, int, int]:
    """The same race with the screen."""
    races: list[Counted] = []

    def make(on_progress: ProgressCallback) -> Race:
        races.append(
            Counted(settings, interval_s=FRAME_INTERVAL_S, on_progress=on_progress, sandbox=sandbox)
        )
        return races[0]

    app = TelemonApp(settings, make, terminal=Terminal.detect(os.environ, "utf-8"))
    app.leave_result = True
    summary = app.run()
    assert summary is not None, app.fault
    return summary, races[0].count, app.shown


def main() -> None:
    """Race in the order that `--races` says, after one race that counts for nothing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--races", required=True, help=f"{HEADLESS} or {SCREEN}, with commas")
    parser.add_argument("--duration", type=float, required=True)
    parser.add_argument("--rate", type=float, help="operations per second; without, saturate")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--unheeded", type=float, default=0.0, help="seconds of the race before")
    parser.add_argument("--result", type=int, required=True, help="where the results go")
    given = parser.parse_args()
    settings = Settings(
        mode="saturate" if given.rate is None else "pace",
        rate_per_s=given.rate,
        batch=given.batch,
        cache="filled",
        warmup_s=0.5,
        duration_s=given.duration,
    )
    with Sandbox(LANES) as sandbox:
        if given.unheeded:
            # Rows that are there already are updated, new ones inserted: no race is to have more of either.
            headless(replace(settings, duration_s=given.unheeded), sandbox)
        for kind in given.races.split(","):
            race = on_screen if kind == SCREEN else headless
            summary, frames, shown = race(settings, sandbox)
            told = {
                "race": kind,
                "frames": frames,
                "shown": shown,
                "duration_s": summary.duration_s,
                "lanes": {
                    lane.lane: {
                        role: figures(work, lane, role)
                        for role, work in (("write", lane.write), ("read", lane.read))
                    }
                    for lane in summary.lanes()
                },
            }
            os.write(given.result, json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    main()
