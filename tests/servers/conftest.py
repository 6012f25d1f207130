"""The sandbox of all tests for those that break it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from signal import SIGCONT

import pytest
import redis

from engines.sandbox.sandbox import Sandbox

WHOLE_WAIT_S = 15.0


@pytest.fixture
def breakable(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The same servers for a test that stops or kills some: afterwards all of them run again, the cluster whole."""
    yield sandbox
    make_whole(sandbox)


def make_whole(sandbox: Sandbox) -> None:
    """Start what is dead, wake what is stopped, and wait until the cluster takes writes for every slot."""
    for name in sandbox.servers:
        if name in sandbox.down():
            sandbox.start_server(name)
        else:
            sandbox.kill(name, SIGCONT)
    until = time.monotonic() + WHOLE_WAIT_S
    for name in ("durable-1", "durable-2", "durable-3"):
        while not _whole(sandbox, name):
            assert time.monotonic() < until, f"{name} is not part of a whole cluster again"
            time.sleep(0.05)


def _whole(sandbox: Sandbox, name: str) -> bool:
    at = sandbox.endpoints["durable"].redis
    assert at is not None
    node = redis.Redis(at.host, sandbox.servers[name].port, password=at.password, protocol=2)
    try:
        info = node.cluster("INFO")
    except redis.RedisError:
        return False
    finally:
        node.close()
    return bool(info["cluster_state"] == "ok" and info["cluster_slots_ok"] == "16384")
