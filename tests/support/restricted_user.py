"""A Redis user with the rights that a test gives it, and no others."""

from __future__ import annotations

from engines.backends.redis.client import client, nodes
from engines.doctor.redis.permissions import command
from engines.endpoints.endpoint import RedisEndpoint

USER, PASSWORD = "just-enough", "of-just-enough"


def make_redis_user(at: RedisEndpoint, rules: list[str]) -> None:
    for address in nodes(at):
        with client(address, at) as node:
            command(node, "ACL", "SETUSER", USER, "reset", f">{PASSWORD}", *rules)


def drop_redis_user(at: RedisEndpoint) -> None:
    for address in nodes(at):
        with client(address, at) as node:
            command(node, "ACL", "DELUSER", USER)
