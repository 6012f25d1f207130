"""What tests break is whole again for the next one."""

from __future__ import annotations

import os
from signal import SIGKILL, SIGSTOP

import pytest

from engines.sandbox.errors import SandboxError
from engines.sandbox.sandbox import Sandbox
from tests.servers.conftest import make_whole
from tests.support.race_run import mysql


def test_servers_that_died_unnoticed_and_that_were_stopped_all_come_back(
    breakable: Sandbox,
) -> None:
    for name in ("cache", "durable-2", "mysql"):
        breakable.kill(name, SIGSTOP)
    # The nodes before it are part of no whole cluster until this one is back.
    breakable.kill("durable-3")
    # Nobody was told of this one.
    os.kill(breakable.servers["cached-mysql"].pid, SIGKILL)
    make_whole(breakable)
    assert not breakable.down()
    for lane in ("mysql", "cached"):
        mysql(breakable.endpoints[lane].mysql).close()


def test_a_server_that_does_not_come_back_keeps_no_other_from_it(
    breakable: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Sandbox, name: str) -> None:
        raise SandboxError(f"{name} does not start")

    breakable.kill("mysql")
    breakable.kill("durable-3", SIGSTOP)
    monkeypatch.setattr(Sandbox, "start_server", refuse)
    monkeypatch.setattr("tests.servers.conftest.WHOLE_WAIT_S", 1.0)
    with pytest.raises(AssertionError, match="mysql does not start"):
        make_whole(breakable)
    monkeypatch.undo()
    # The one after it was woken nevertheless, or this would not end.
    make_whole(breakable)
