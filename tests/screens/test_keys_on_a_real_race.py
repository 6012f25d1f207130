"""Every key on a race on real servers: what the engines and the servers then do, and that it stands in the result."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.config.race_config import RaceConfig
from engines.sandbox.sandbox import Sandbox
from tests.support import load_keys
from tests.support import view_keys as display_keys
from tests.support.keyed_race import Check, Keyed
from tests.support.live_race import real_race
from tests.support.race_run import forget
from tui.actions.catalog import ACTIONS

CHECKS: dict[str, Check] = {
    "release": load_keys.release,
    "flush": load_keys.flush,
    "mode": load_keys.mode,
    "more_rate": load_keys.rate(1),
    "less_rate": load_keys.rate(-1),
    "more_writers": load_keys.connections("write", 1),
    "fewer_writers": load_keys.connections("write", -1),
    "more_readers": load_keys.connections("read", 1),
    "fewer_readers": load_keys.connections("read", -1),
    "more_batch": load_keys.batch(1),
    "less_batch": load_keys.batch(-1),
    "more_ttl": load_keys.ttl(1),
    "less_ttl": load_keys.ttl(-1),
    "pause": load_keys.pause,
    "freeze": display_keys.freeze,
    "stage": display_keys.stage,
    "shorter_window": display_keys.window(-1),
    "longer_window": display_keys.window(1),
    "axis": display_keys.axis,
    "maximise_1": display_keys.maximise(0),
    "maximise_2": display_keys.maximise(1),
    "maximise_3": display_keys.maximise(2),
    "restore": display_keys.restore,
    "next_theme": display_keys.next_theme,
    "help": display_keys.help_,
    "reset": load_keys.reset,
    "screenshot": display_keys.screenshot,
    "copy": display_keys.copy,
    "quit": display_keys.quit_,
}
"""In the order in which they are pressed: first what needs a full cache, last what leaves a notice on the screen."""

ONE_KEY = ("quit",)
"""The actions of which one race has only one; its other keys are pressed in other tests."""


def test_every_action_has_a_check_on_a_real_race() -> None:
    unchecked = {action.id for action in ACTIONS} - set(CHECKS)
    assert not unchecked, f"{unchecked}: add a check on a real race to CHECKS"
    gone = set(CHECKS) - {action.id for action in ACTIONS}
    assert not gone, f"{gone}: no such action any more; remove its check from CHECKS"


@pytest.mark.soak
async def test_every_key_on_a_real_race(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(sandbox)
    monkeypatch.chdir(tmp_path)
    actions = {action.id: action for action in ACTIONS}
    # At a rate that leaves the processors to the screen, and with a cache in which nothing is missing.
    settings = RaceConfig(
        writers=3,
        readers=3,
        batch=50,
        ttl_s=60.0,
        mode="pace",
        rate_per_s=100.0,
        cache="filled",
        warmup_s=0.3,
    )
    async with real_race(sandbox, settings, hold=True) as racing:
        keyed = Keyed(racing, tmp_path)
        keyed.listen(monkeypatch)
        for name, check in CHECKS.items():
            keys = actions[name].keys[: 1 if name in ONE_KEY else None]
            for key in keys:
                await check(keyed, key)
    for said, took_s in keyed.took_s.items():
        print(f"{said}: {took_s:.2f} s")
