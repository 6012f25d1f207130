"""The program that tests run in a pseudo-terminal: made-up frames, and at the end a line of JSON on a descriptor."""

from __future__ import annotations

import argparse
import json
import os
import time

from engines.config.race_config import RaceConfig
from tests.screens.conftest import StillHost
from tests.support.open_loop_frames import paced
from tests.support.synthetic_frames import SyntheticSource, frames
from tui.app.app import TelemonApp
from tui.terminal.capabilities import Terminal, TerminalOptions


def main() -> None:
    """Race for `--frames` frames, one each `--interval` seconds, then end or (`--linger`) wait for the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--interval", type=float, default=0.1)
    parser.add_argument("--fps", type=float)
    parser.add_argument("--color", default="auto")
    parser.add_argument("--glyphs", default="auto")
    parser.add_argument("--linger", action="store_true")
    parser.add_argument("--paced", action="store_true", help="frames of an open loop")
    parser.add_argument("--history", type=int, default=120, help="frames before the first shown")
    parser.add_argument("--result", type=int, required=True, help="where the result goes")
    given = parser.parse_args()
    made = frames(given.history + given.frames)
    if given.paced:
        made = paced(made)
    if given.frames <= 100:
        # Made beforehand, so that what it costs is the cost of the screen.
        made = iter(list(made))
    source = SyntheticSource(
        made, interval_s=given.interval, linger=given.linger, ahead=given.history
    )
    flags = TerminalOptions(color=given.color, glyphs=given.glyphs, fps=given.fps)
    app = TelemonApp(
        RaceConfig(),
        lambda on_progress: source.told(on_progress),
        terminal=Terminal.detect(os.environ, "utf-8", flags),
        host=StillHost(),
    )
    app.leave_result = True
    started_s, started_cpu_s = time.monotonic(), time.process_time()
    summary = app.run()
    os.write(
        given.result,
        json.dumps(
            {
                "duration_s": summary.duration_s if summary else None,
                "shown": app.shown,
                "dropped": app.feed.dropped,
                "lag_s": app.worst_lag_s,
                "cpu_s": time.process_time() - started_cpu_s,
                "process_cpu_s": time.process_time(),
                "wall_s": time.monotonic() - started_s,
                "code": app.return_code,
                "fault": app.fault,
                "exited": source.exited,
            }
        ).encode(),
    )


if __name__ == "__main__":
    main()
