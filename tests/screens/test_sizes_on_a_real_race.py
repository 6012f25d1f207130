"""A terminal that is resized while real servers are raced."""

from __future__ import annotations

from engines.config.race_config import RaceConfig
from engines.metrics.frame import LaneState
from engines.sandbox.sandbox import Sandbox
from tests.support.live_race import real_race
from tests.support.race_run import engine_pids, forget
from tui.widgets.base.panel import Panel

SIZES = (
    (200, 50), (160, 48), (120, 30), (80, 24), (60, 20), (40, 12), (20, 5), (200, 50),
)  # fmt: skip

SHAPES = ("●", "▲", "■")
"""Each lane's own, in every layout."""


async def test_every_size_shows_every_lane(sandbox: Sandbox) -> None:
    forget(sandbox)
    settings = RaceConfig(
        writers=2, readers=2, batch=20, mode="pace", rate_per_s=100.0, warmup_s=0.0, seed=5
    )
    async with real_race(sandbox, settings, size=SIZES[0]) as racing:
        await racing.state(LaneState.RACING)
        pids = engine_pids(racing.race)
        for size in SIZES:
            await racing.pilot.resize_terminal(*size)
            seq = racing.view.seq
            await racing.shows(*SHAPES)
            # Two more pictures in this size.
            await racing.until(lambda seq=seq: racing.view.seq >= seq + 2)  # type: ignore[misc]
            lines = racing.text().splitlines()
            assert [len(lines), {len(line) for line in lines}] == [size[1], {size[0]}]
            assert all(shape in racing.text() for shape in SHAPES), racing.text()
            assert Panel.MISTAKE not in racing.text()
            assert racing.app.fault is None
        assert engine_pids(racing.race) == pids
        assert all(lane.read.operations for lane in (await racing.whole(1))[0].lanes)
