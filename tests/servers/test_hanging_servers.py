"""Servers that take what they are sent and never answer, as behind a lost route, keep nobody from ending a race."""

from __future__ import annotations

import time
from signal import SIGSTOP

from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import forget, with_settings

LIMIT_S = 2.5
"""Ending a race takes half a second here, and may take one. The rest is for a machine that is busy; waiting for the
operations in flight alone would take two."""


def test_a_race_ends_soon_though_every_server_hangs(breakable: Sandbox) -> None:
    forget(breakable)
    stopped_s = 0.0
    with Race(with_settings(duration_s=None), interval_s=0.25, sandbox=breakable) as race:
        for frame in race.frames():
            if frame.seq == 2:
                for name in breakable.servers:
                    breakable.kill(name, SIGSTOP)
            if frame.elapsed_s > 2.0 and not stopped_s:
                stopped_s = time.monotonic()
                race.stop()
        ended_s = time.monotonic()
        counter_caveats = race.closing_counts.counter_caveats
    closed_s = time.monotonic()
    assert ended_s - stopped_s < LIMIT_S
    assert closed_s - ended_s < LIMIT_S
    for lane in ("mysql", "cached", "durable"):
        assert any("in time" in caveat for caveat in counter_caveats[lane]), lane
