"""What an engine process costs."""

from __future__ import annotations

import psutil

from engines.metrics.frame import Frame
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import engine_pids, forget, run_race, with_settings

ENGINE_LIMIT_BYTES = 60_000_000


def test_sixty_four_connections_in_one_process_work_and_stay_small(sandbox: Sandbox) -> None:
    forget(sandbox)
    sizes_bytes: dict[str, int] = {}

    def weigh(race: Race, _: Frame) -> None:
        for name, pid in engine_pids(race).items():
            if psutil.pid_exists(pid):
                sizes_bytes[name] = psutil.Process(pid).memory_info().rss

    ran = run_race(sandbox, with_settings(writers=64, readers=64), on_frame=weigh)
    for lane in ran.lanes.values():
        assert lane.write.errors == lane.read.errors == {}
        assert lane.write.operations >= 64
        assert lane.read.operations >= 64
    assert len(sizes_bytes) == 6
    assert max(sizes_bytes.values()) < ENGINE_LIMIT_BYTES, sizes_bytes
