"""Servers that refuse, do not know or do not show what a race asks beside its own commands: it races all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from engines.backends.mysql import client as mysql
from engines.backends.redis.client import address_of, client, seed
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint
from engines.provisioning.seed import SEED_VERSION
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.namespace import DEFAULT
from tests.servers.test_deadlines import configuration, done
from tests.support.hostile_servers import hostile_server
from tests.support.restricted_user import PASSWORD, USER, drop_redis_user, make_redis_user
from tests.support.sparse_servers import (
    info_without,
    mysql_refusing,
    redis_hanging_up_on,
    redis_without,
)

QUICK = ("run", "--duration", "0.5s", "--warmup", "0s", "--format", "json")

UNREAD = "not readable"


def result_of(config: Path, *argv: str) -> dict[str, Any]:
    """Race, and return the result: every role of the lane had successes."""
    ended = done(config, *QUICK, *argv)
    assert ended.code == 0, ended.err
    result: dict[str, Any] = json.loads(ended.out)
    (lane,) = result["lanes"]
    for role in ("read", "write"):
        assert lane[role]["operations"] > 0
        assert lane[role]["errors"] == {}
    return result


def facts_of(result: dict[str, Any]) -> dict[str, Any]:
    """The facts of the lane's one server in the fairness sheet."""
    sheet = result["fairness"]
    assert isinstance(sheet, dict)
    server: dict[str, Any]
    ((server,),) = sheet["lanes"].values()
    return server


def notes_of(result: dict[str, Any]) -> str:
    sheet = result["fairness"]
    assert isinstance(sheet, dict)
    return "\n".join(sheet["notes"])


@pytest.mark.parametrize(
    "commands",
    [
        ["INFO"],
        ["CONFIG", "CLUSTER", "COMMAND", "DBSIZE", "SCAN"],
        ["INFO", "CONFIG", "CLUSTER", "COMMAND", "DBSIZE", "SCAN", "PING", "KEYS", "CLIENT"],
    ],
    ids=lambda commands: "-".join(commands[:3]),
)
def test_a_redis_without_other_commands_is_raced_on(
    tmp_path: Path, commands: Sequence[str]
) -> None:
    with redis_without(commands, tmp_path) as at:
        seed(replace(at, cluster=False), HOT_KEYS, TelemetryPool(1), SEED_VERSION)
        config = configuration(tmp_path, "durable", at.port, password="")
        result = result_of(config)
        facts = facts_of(result)
        hidden = "INFO" in commands
        assert (facts["version"] == UNREAD) is hidden
        assert ("counters cannot be read" in notes_of(result)) is hidden
        durability = facts["durability"]
        assert isinstance(durability, dict)
        assert (durability["appendonly"] == UNREAD) is ("CONFIG" in commands)
        assert ("refuses CLUSTER SLOTS" in notes_of(result)) is ("CLUSTER" in commands)
        assert "examination" not in done(config, "doctor").out


@pytest.fixture
def modest_redis(sandbox: Sandbox) -> Iterator[RedisEndpoint]:
    """The cache of the sandbox, for a user who may GET and SET and nothing else."""
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    seed(cache, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    make_redis_user(cache, ["on", "~telemon:*", "+get", "+set"])
    yield replace(cache, user=USER, password=PASSWORD)
    drop_redis_user(cache)


def test_a_user_who_may_get_and_set_is_enough(modest_redis: RedisEndpoint, tmp_path: Path) -> None:
    config = configuration(tmp_path, "durable", modest_redis.port, PASSWORD, user=USER)
    result = result_of(config)
    facts = facts_of(result)
    assert facts["version"] == UNREAD
    assert facts["round_trip_us"] is None
    assert "counters cannot be read" in notes_of(result)


@pytest.mark.parametrize(
    "fields",
    [
        ("keyspace_hits", "keyspace_misses", "cmdstat_get", "run_id", "uptime_in_seconds"),
        (
            "redis_version",
            "valkey_version",
            "aof_enabled",
            "connected_slaves",
            "role",
            "maxclients",
            "maxmemory",
        ),
        ("keyspace_hits", "keyspace_misses", "expired_keys", "evicted_keys", "connected_clients"),
    ],
    ids=lambda fields: fields[0],
)
def test_fields_that_info_does_not_have_are_not_missed(
    sandbox: Sandbox, tmp_path: Path, fields: Sequence[str]
) -> None:
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    seed(cache, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    with hostile_server(info_without(cache.port, fields)) as server:
        config = configuration(tmp_path, "durable", server.port, cache.password)
        result = result_of(config)
        if "keyspace_hits" in fields:
            assert "does not show keyspace_hits" in notes_of(result)
        if "redis_version" in fields:
            assert facts_of(result)["version"] == UNREAD
        assert "examination" not in done(config, "doctor").out


def test_a_proxy_that_hangs_up_on_cluster_commands_is_raced_on(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    seed(cache, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    with hostile_server(redis_hanging_up_on(cache.port, b"CLUSTER")) as server:
        config = configuration(tmp_path, "durable", server.port, cache.password)
        assert "refuses CLUSTER SLOTS" in notes_of(result_of(config))
        said = done(config, "doctor").out
        assert "taken for a server in no cluster" in said
        with config.open("a") as file:
            file.write('cluster = "off"\n')
        assert "CLUSTER" not in notes_of(result_of(config))
        assert "CLUSTER" not in done(config, "doctor").out


def test_no_command_sends_cluster_commands_where_the_configuration_says_that_there_is_none(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    config = configuration(tmp_path, "durable", cache.port, cache.password)
    with config.open("a") as file:
        file.write('cluster = "off"\n')
    with client(address_of(cache), cache) as node:
        before = _cluster_commands(node)
        for command in ("prepare", "doctor", "clean"):
            assert done(config, command, *(("--yes",) if command != "doctor" else ())).code == 0
        seed(cache, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
        result_of(config)
        assert _cluster_commands(node) == before


def _cluster_commands(node: Redis) -> dict[str, int]:
    """How often a server was sent each CLUSTER command, refused ones included."""
    stats: dict[str, Any] = dict(node.info("commandstats"))
    return {
        name: each["calls"] + each["rejected_calls"]
        for name, each in stats.items()
        if name.startswith("cmdstat_cluster")
    }


@pytest.fixture
def prepared_mysql(sandbox: Sandbox) -> MySQLEndpoint:
    own = sandbox.endpoints["mysql"].mysql
    assert own is not None
    with mysql.cursor(own) as cursor:
        mysql.make_table(cursor, DEFAULT.table)
        mysql.seed(cursor, DEFAULT.table, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    return own


@pytest.mark.parametrize(
    ("pattern", "unread", "note"),
    [
        ("GLOBAL STATUS", {"replicas"}, "counters cannot be read"),
        ("SHOW .*VARIABLES", {"innodb_flush_log_at_trx_commit", "log_bin"}, ""),
        ("information_schema|performance_schema", set(), ""),
        ("@@innodb|@@log_bin|@@sync_binlog", set(), ""),
        ("SHOW GLOBAL|@@", {"replicas", "log_bin"}, "counters cannot be read"),
    ],
    ids=["status", "variables", "information_schema", "innodb", "all"],
)
def test_a_mysql_that_refuses_other_statements_is_raced_on(
    prepared_mysql: MySQLEndpoint, tmp_path: Path, pattern: str, unread: set[str], note: str
) -> None:
    with hostile_server(mysql_refusing(prepared_mysql.port, pattern)) as server:
        config = configuration(tmp_path, "mysql", server.port, prepared_mysql.password)
        result = result_of(config)
        durability = facts_of(result)["durability"]
        assert isinstance(durability, dict)
        for name in unread:
            assert durability[name] == UNREAD
        assert note in notes_of(result)
        assert "examination" not in done(config, "doctor").out
