"""The servers of the sandbox as a race's own, in this process: what is on them is checked, marked and leased."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engines.backends.redis.client import client, owner
from engines.backends.redis.own_keys import delete_own_keys
from engines.config.race_config import RaceConfig
from engines.config.server_config import MySQLConfig, RedisConfig
from engines.endpoints.endpoint import RedisEndpoint
from engines.provisioning import prepare
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import forget
from tests.support.user_servers import redis_endpoints


def shared(sandbox: Sandbox, lanes: Iterable[str], **changes: Any) -> RaceConfig:
    """Settings of a short race on the servers of the sandbox, which are named as if they were the user's."""
    servers: dict[str, Any] = {}
    for lane in lanes:
        endpoints = sandbox.endpoints[lane]
        if (at := endpoints.mysql) is not None:
            table = "mysql" if lane == "mysql" else "cached_mysql"
            servers[table] = MySQLConfig(
                host=at.host,
                port=at.port,
                user=at.user,
                password=at.password,
                database=at.database,
                tls=False,
            )
        if (store := endpoints.redis) is not None:
            table = "durable" if lane == "durable" else "cached_redis"
            servers[table] = RedisConfig(
                host=store.host, port=store.port, password=store.password, tls=False
            )
    load = {"writers": 2, "readers": 3, "batch": 20, "warmup_s": 0.0, "duration_s": 0.6}
    return RaceConfig(lanes=tuple(lanes), **{**load, **servers, **changes})


def prepared(sandbox: Sandbox, settings: RaceConfig) -> RaceConfig:
    """The same settings, on servers that hold nothing but what `telemon prepare` made."""
    forget(sandbox)
    for change in prepare.plan(settings.endpoints, settings.seed).changes:
        change.apply()
    return settings


def cache_of(sandbox: Sandbox) -> RedisEndpoint:
    return redis_endpoints(sandbox)[0]


def store_of(sandbox: Sandbox) -> RedisEndpoint:
    return redis_endpoints(sandbox)[1]


def on_key(endpoint: RedisEndpoint, name: bytes, *words: object) -> Any:
    """Send a command to the node that `name` is on; its first argument is the name."""
    with client(owner(endpoint, name), endpoint) as node:
        command, *rest = words
        return node.execute_command(command, name, *rest)


def tidy(sandbox: Sandbox) -> None:
    """Leave nothing of telemon's, nor of a test's in the place of telemon's."""
    for at in redis_endpoints(sandbox):
        delete_own_keys(at)
    forget(sandbox)
