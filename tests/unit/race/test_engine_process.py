"""How the death of an engine process is told by the race that started it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator

import pytest

from engines.model.deaths import DeathCause, ProcessEnd
from engines.race import engine_process
from engines.race.engine_process import EngineProcess


@pytest.fixture
def engine() -> Iterator[EngineProcess]:
    made = EngineProcess("cached", "read", 1)
    yield made
    made.close()


def after_its_end(engine: EngineProcess) -> EngineProcess:
    """The same, once it has closed its channel."""
    assert select.select([engine.channel.fileno()], [], [], 20)[0]
    engine.receive()
    return engine


@pytest.mark.parametrize("kills", [0, 1])
def test_a_killed_engine_is_named_and_lack_of_memory_if_that_was_the_reason(
    engine: EngineProcess, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    monkeypatch.setattr(engine_process, "oom_kills", lambda: engine._oom_kills + kills)
    began_s = time.time()
    os.kill(engine.pid, signal.SIGKILL)
    death = after_its_end(engine).death
    assert death is not None
    assert (death.lane, death.role, death.number) == ("cached", "read", 2)
    assert death.end == ProcessEnd(signal=signal.SIGKILL)
    assert death.cause is (DeathCause.OUT_OF_MEMORY if kills else None)
    assert began_s <= death.at_utc_s <= time.time()


def test_an_engine_that_closes_its_channel_and_lives_on_is_killed(
    engine: EngineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the race it is dead: it can be told nothing any more."""
    monkeypatch.setattr(engine_process, "END_WAIT_S", 0.05)
    engine.channel.closed = True
    engine.receive()
    assert engine.over
    assert engine.death is not None
    assert engine.death.cause is DeathCause.CLOSED
    assert engine._process.wait(20) == -signal.SIGKILL
