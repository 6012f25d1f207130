"""The whole command in a pseudo-terminal, on made-up frames: `--result FD` and then telemon's own arguments.

What the source was told, what became of the terminal, and the exit code go to the descriptor as a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from typing import Any

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Event
from engines.source import FrameSource, FrameSourceFactory, ProgressCallback
from tests.screens.conftest import StillHost
from tests.support.synthetic_frames import SyntheticSource, frames
from tui.app import app
from tui.cli import main as cli

BROKEN = "TELEMON_TEST_BROKEN"
"""The variable that says what breaks: nothing, the "race" after its frames, or the "start" before any is measured."""


class Fragile(SyntheticSource):
    """Breaks after its last frame, if it is asked to."""

    broken = False

    def frames(self):  # type: ignore[no-untyped-def]
        yield from super().frames()
        if self.broken:
            raise RuntimeError("the engines are [gone]")


def main() -> None:
    """Run the command."""
    told: dict[str, Any] = {}
    broken = os.environ.get(BROKEN)

    def made_up(_: RaceConfig, *, hold: bool = False) -> FrameSourceFactory:
        told["hold"] = hold
        made = list(frames(20, warmup=100 if hold or broken == "start" else 4))
        if broken == "start":
            made[-1] = replace(made[-1], events=(Event(0.0, "mysql", "engine died [1]"),))
        source = Fragile(made, interval_s=0.05, linger=broken is None)
        source.broken = broken == "race"

        def make(on_progress: ProgressCallback) -> FrameSource:
            return source.told(on_progress)

        return make

    class Watched(app.TelemonApp):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, host=StillHost(), **options)
            self.leave_result = broken is not None
            told.update(
                asdict(self.terminal),
                stage=self._screen_state.presentation.stage,
                held=self._screen_state.start.holding,
            )

        def run(self, **options: Any) -> Any:
            try:
                return super().run(**options)
            finally:
                told["mouse_asked"] = options.get("mouse", self.terminal.mouse)

    app.race_source = made_up  # type: ignore[assignment]
    app.TelemonApp = Watched  # type: ignore[misc]
    result = int(sys.argv[2])
    told["code"] = cli.run(sys.argv[3:])
    os.write(result, json.dumps(told).encode())


if __name__ == "__main__":
    main()
