"""The start line on real servers: lanes wait connected and warm, and a key lets go of just the one that it names."""

from __future__ import annotations

import re
from pathlib import Path

from engines.config.race_config import RaceConfig
from engines.metrics.frame import LaneState
from engines.model import controls as control
from engines.model.lanes import LANES
from engines.sandbox.sandbox import Sandbox
from tests.support import view_keys as display_keys
from tests.support.keyed_race import Keyed
from tests.support.live_race import OF_LANE, real_race
from tests.support.race_run import engine_pids, forget

RANK = re.compile(r"\b(1st|2nd|3rd)\b")

SETTINGS = RaceConfig(writers=2, readers=2, batch=20, mode="pace", rate_per_s=100.0, warmup_s=0.3)


async def test_lanes_are_released_one_by_one(sandbox: Sandbox, tmp_path: Path) -> None:
    forget(sandbox)
    async with real_race(sandbox, SETTINGS, hold=True) as racing:
        keyed = Keyed(racing, tmp_path)
        keyed.pids = engine_pids(racing.race)
        await racing.state(LaneState.STARTING)
        # Warm: it has worked already, and every connection stands.
        assert all(
            work.operations
            for roles in racing.race.closing_counts.warm.values()
            for work in (roles["write"].work, roles["read"].work)
        )
        connected = racing.servers.connections()
        for names in OF_LANE.values():
            assert all(connected[name] > racing.servers.before[name] for name in names)
        await keyed.stands_still(*LANES)
        await racing.until(lambda: racing.text().count("waiting") == 3)
        # What it took to get warm is no race: nothing of it is on show.
        assert not RANK.search(racing.text())
        assert not any(lane.points for lane in racing.view.lanes)
        assert {lane.read.p99_us for lane in racing.view.lanes} == {None}
        assert {lane.hit_ratio for lane in racing.view.lanes} == {None}
        waiting = list(LANES)
        for key, lane in (("2", "cached"), ("1", "mysql"), ("3", "durable")):
            assert "AT THE START LINE" in racing.text()
            before = racing.servers.operations()
            pressed_s = await keyed.press(key)
            asked = control.Release(lane)
            waiting.remove(lane)
            await keyed.obeyed(
                asked,
                pressed_s,
                lambda frame, lane=lane: any(  # type: ignore[misc]
                    part.lane == lane and part.read.operations and part.write.operations
                    for part in frame.lanes
                ),
            )
            await keyed.stands_still(*waiting)
            now = racing.servers.operations()
            assert [name for name in LANES if now[name] == before[name] and name in waiting] == [
                name for name in LANES if name in waiting
            ]
            assert now[lane] > before[lane]
            await racing.until(lambda: racing.text().count("waiting") == len(waiting))
            placed = {
                part.lane: {place.position for place in part.ranks.values()} - {None}
                for part in racing.view.lanes
            }
            assert all(not placed[name] for name in waiting)
            assert bool(placed[lane]) == (len(waiting) < 2)
            totals = {part.lane: part.write.rows + part.read.rows for part in racing.view.lanes}
            assert [name for name in LANES if not totals[name]] == [
                name for name in LANES if name in waiting
            ]
        await racing.until(lambda: "AT THE START LINE" not in racing.text())
        # The connections that stood before are those that race.
        assert racing.servers.connections() == connected
        await keyed.undisturbed()
        await display_keys.quit_(keyed, "ctrl+c")
