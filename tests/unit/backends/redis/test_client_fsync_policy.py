"""The durability of a Redis server: a typed policy, and the words that follow from it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from engines.backends.redis import client


class Node:
    """A server with these settings; `policy` None refuses CONFIG."""

    def __init__(self, aof_enabled: int, policy: str | None) -> None:
        self._aof_enabled, self._policy = aof_enabled, policy

    def info(self, _: str) -> dict[str, int]:
        return {"aof_enabled": self._aof_enabled}

    def config_get(self, name: str) -> dict[str, Any]:
        if self._policy is None:
            raise ResponseError("unknown command")
        return {name: self._policy}


@pytest.mark.parametrize(
    ("node", "policy", "words"),
    [
        (Node(1, "always"), "always", "append-only file, fsync before every reply"),
        (Node(1, "everysec"), "everysec", "append-only file, fsync about once a second"),
        (Node(1, "odd"), "odd", "append-only file, appendfsync odd"),
        (Node(0, "always"), "", "none: memory only"),
        (Node(1, None), None, "not readable"),
    ],
)
def test_the_policy_is_read_and_then_worded(node: Node, policy: str | None, words: str) -> None:
    assert client._fsync_policy(cast("Redis", node)) == policy
    assert client._durability(policy) == words
