"""Who listens to the engines, and since when."""

from __future__ import annotations

import time
from threading import Timer

from engines.config import race_config as config
from engines.model.controls import Pause
from engines.race.control_queue import ControlQueue
from engines.race.engine_group import AWAY_NS, EngineGroup


def test_whoever_was_away_has_listened_since_he_came_back_and_others_since_they_began() -> None:
    inbox = ControlQueue()
    inbox.open()
    field = EngineGroup(config.RaceConfig(), lambda *_: None, inbox)
    field.listen(0.0)
    first_ns = field.listening_since_ns
    for _ in range(3):
        # However long it was to wait for something to be said.
        field.listen(AWAY_NS / 1e9 / 2)
    assert field.listening_since_ns == first_ns > 0
    time.sleep(AWAY_NS / 1e9 + 0.1)
    field.listen(0.0)
    assert field.listening_since_ns >= first_ns + AWAY_NS
    inbox.close()


def test_what_is_asked_for_interrupts_listening_and_comes_in_order() -> None:
    inbox = ControlQueue()
    inbox.send(Pause())  # before anybody can be woken
    inbox.open()
    field = EngineGroup(config.RaceConfig(), lambda *_: None, inbox)
    began_s = time.monotonic()
    Timer(0.1, inbox.stop).start()
    field.listen(30.0)
    assert time.monotonic() - began_s < 20
    assert inbox.stop_requested
    assert list(inbox.controls()) == [Pause()]
    assert list(inbox.controls()) == []
    inbox.close()
    inbox.stop()  # a signal may come at any time
