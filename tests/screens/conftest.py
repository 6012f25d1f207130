"""An app on made-up frames, with a machine that never changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from engines.config.race_config import RaceConfig
from engines.metrics.frame import Frame
from engines.results.summary import Summary
from tests.support.synthetic_frames import SyntheticSource, usual
from tui.app.app import TelemonApp
from tui.terminal.capabilities import Terminal
from tui.view.host_load import HostLoad, HostMonitor
from tui.widgets.base.panel import Panel


class StillHost(HostMonitor):
    """A machine with a load that stands still."""

    def load(self) -> HostLoad:
        return HostLoad(0.83, 2, 3_300_000_000, 8_000_000_000, 4_200_000.0, 3_900_000.0)


class Racing:
    """An app under a pilot, and the source that it shows."""

    def __init__(self, app: TelemonApp, source: SyntheticSource, pilot: Pilot[Summary]) -> None:
        self.app = app
        self.source = source
        self.pilot = pilot

    def text(self) -> str:
        """Everything on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def until(self, holds: Callable[[], bool], *, seconds: float = 5.0) -> None:
        """Wait until something holds; fail with the screen's text when it does not."""
        for _ in range(round(seconds / 0.02)):
            if holds():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"not within {seconds} s; on the screen:\n{self.text()}")

    async def shows(self, *texts: str) -> None:
        """Wait until all of the texts are on the screen."""
        await self.until(lambda: all(text in self.text() for text in texts))


Launch = Callable[..., AbstractAsyncContextManager[Racing]]


@asynccontextmanager
async def _launch(
    given: list[Frame] | None = None,
    *,
    size: tuple[int, int] = (160, 48),
    settings: RaceConfig | None = None,
    terminal: Terminal | None = None,
    source: SyntheticSource | None = None,
    **options: Any,
) -> AsyncIterator[Racing]:
    shown = source or SyntheticSource(list(usual()) if given is None else given)
    app = TelemonApp(
        settings or RaceConfig(),
        lambda on_progress: shown.told(on_progress),
        terminal=terminal or Terminal(fps=60),
        host=StillHost(),
        **options,
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        try:
            racing = Racing(app, shown, pilot)
            yield racing
            assert app.fault is None
            assert Panel.MISTAKE not in racing.text()
        finally:
            shown.stop()
            app.feed.stop()
            assert app.feed.join(5)


@pytest.fixture
def launch() -> Launch:
    """Starts an app on given frames (by default 60 made-up ones, as good as at once)."""
    return _launch
