"""The doctor on Redis servers that are really broken, one way at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from engines.backends.redis.client import ClusterModeError, address_of, client
from engines.backends.redis.cluster_mode import resolve_cluster_mode
from engines.doctor.redis.permissions import command
from engines.endpoints.credential_sources import FromFile
from engines.endpoints.endpoint import RedisEndpoint
from engines.sandbox.sandbox import Sandbox
from tests.support.diagnosis import CLOCKS, check_clock, diagnose

USER, PASSWORD = "limited", "of-limited"


@pytest.fixture
def endpoint(sandbox: Sandbox) -> RedisEndpoint:
    """The cache: a Redis on its own."""
    at = sandbox.endpoints["cached"].redis
    assert at is not None
    return at


@pytest.fixture
def admin(endpoint: RedisEndpoint) -> Iterator[redis.Redis]:
    with client(address_of(endpoint), endpoint) as node:
        yield node


@contextmanager
def setting(admin: redis.Redis, name: str, value: str | int) -> Iterator[None]:
    before = str(admin.config_get(name)[name])
    admin.config_set(name, value)
    try:
        yield
    finally:
        admin.config_set(name, before)


@contextmanager
def user(admin: redis.Redis, at: RedisEndpoint, *rules: str) -> Iterator[RedisEndpoint]:
    """The same server, seen by a user with these rules and no others."""
    command(admin, "ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *rules)
    try:
        yield replace(at, user=USER, password=PASSWORD)
    finally:
        command(admin, "ACL", "DELUSER", USER)


ASKED = "+get +set +scan +unlink +pexpire +info +cluster|slots"
"""The rights that telemon needs on a single server."""


def test_a_server_in_order(endpoint: RedisEndpoint) -> None:
    found = diagnose(endpoint)
    assert found.problems == []
    assert [check.name for check in found.checks] == [
        "name resolution",
        "TCP",
        "TLS",
        "authentication",
        "product",
        "clock",
        "role",
        "round trip",
        "other telemons",
        "permissions",
        "keys",
        "durability",
        "room",
    ]
    assert diagnose(replace(endpoint, cluster=None)).problems == []


@CLOCKS
def test_a_clock_that_is_off(
    endpoint: RedisEndpoint, monkeypatch: pytest.MonkeyPatch, ahead_s: float, problems: list[str]
) -> None:
    check_clock(endpoint, monkeypatch, ahead_s, problems)


def test_nothing_of_the_doctor_s_stays(endpoint: RedisEndpoint, admin: redis.Redis) -> None:
    rules = ("~telemon:*", *ASKED.split(), "+ping")
    before = admin.dbsize()
    diagnose(endpoint)
    # Who may not ask what he may do has to try it.
    with user(admin, endpoint, *rules) as at:
        assert diagnose(at).problems == []
    assert admin.dbsize() == before


def test_a_wrong_password(endpoint: RedisEndpoint) -> None:
    found = diagnose(replace(endpoint, password="not it"))
    assert found.problems == ["wrong_password"]
    assert found.failed.name == "authentication"
    assert "not it" not in str(found)


def test_where_the_wrong_password_came_from_is_said(
    endpoint: RedisEndpoint, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("not it")
    found = diagnose(replace(endpoint, secret=FromFile(file)))
    assert found.problems == ["wrong_password"]
    assert "user default: " in found.failed.finding
    assert f"check user and password (password_file {file})" in found.failed.next_step
    assert "not it" not in str(found)


def test_a_wrong_user(endpoint: RedisEndpoint) -> None:
    assert diagnose(replace(endpoint, user="nobody")).problems == ["wrong_password"]


def test_a_user_who_is_off(endpoint: RedisEndpoint, admin: redis.Redis) -> None:
    with user(admin, endpoint, "off", "+@all", "~*") as at:
        assert diagnose(at).problems == ["wrong_password"]


def test_no_password_where_one_is_needed(endpoint: RedisEndpoint) -> None:
    assert diagnose(replace(endpoint, password="")).problems == ["password_needed"]


def test_a_password_where_none_is_set(endpoint: RedisEndpoint, admin: redis.Redis) -> None:
    with setting(admin, "requirepass", ""):
        found = diagnose(endpoint)
        assert diagnose(replace(endpoint, password="")).problems == []
    assert found.problems == ["password_not_wanted"]


@pytest.mark.parametrize("asks", ["+@all", ASKED])
@pytest.mark.parametrize("keys", ["", "~other:*", "%R~telemon:*"])
def test_a_user_without_rights_on_the_keys(
    endpoint: RedisEndpoint, admin: redis.Redis, asks: str, keys: str
) -> None:
    """With +@all the server is asked, with the few commands it is tried."""
    with user(admin, endpoint, *asks.split(), *keys.split()) as at:
        found = diagnose(at)
    assert found.problems == ["denied_keys"]
    assert "~telemon:*" in found.failed.next_step


@pytest.mark.parametrize("asks", ["+@all", ASKED])
@pytest.mark.parametrize(
    ("lacking", "words"),
    [(["get"], "+get"), (["set", "unlink"], "+set +unlink")],
    ids=["get", "set and unlink"],
)
def test_a_user_without_rights_on_commands(
    endpoint: RedisEndpoint, admin: redis.Redis, asks: str, lacking: list[str], words: str
) -> None:
    rules = [*asks.split(), *(f"-{name}" for name in lacking), "~telemon:*"]
    with user(admin, endpoint, *rules) as at:
        found = diagnose(at)
    assert found.problems == ["denied_commands"]
    assert found.failed.next_step.endswith(f": {words}")


def test_a_user_who_may_not_ask_for_a_cluster_s_slots_need_not_on_one_server(
    endpoint: RedisEndpoint, admin: redis.Redis
) -> None:
    with user(admin, endpoint, "+@all", "-cluster", "~telemon:*") as at:
        assert diagnose(at).problems == []
        # A race that is left to find out takes it for one server, as INFO says, and mentions it.
        found = diagnose(replace(at, cluster=None))
        assert found.problems == []
        assert "CLUSTER SLOTS is refused" in found.named("cluster mode").finding
    with user(admin, endpoint, "+@all", "-cluster", "-info", "~telemon:*") as at:
        found = diagnose(replace(at, cluster=None))
        assert "cluster_unknown" in found.problems
        assert "+cluster|slots" in found.named("cluster mode").next_step


def test_replicas_to_read_from_where_there_is_no_cluster(endpoint: RedisEndpoint) -> None:
    found = diagnose(replace(endpoint, cluster=None, read_replicas=True))
    assert found.problems == ["no_replicas"]
    with pytest.raises(ClusterModeError):
        resolve_cluster_mode(replace(endpoint, cluster=None, read_replicas=True))


def test_a_user_without_info(endpoint: RedisEndpoint, admin: redis.Redis) -> None:
    """A race goes on without it, so it is no more than a warning."""
    with user(admin, endpoint, "+@all", "-info", "~telemon:*") as at:
        found = diagnose(at)
    assert found.problems == ["info_denied"]
    assert "+info" in found.named("product").next_step


def test_a_replica(endpoint: RedisEndpoint, admin: redis.Redis) -> None:
    command(admin, "REPLICAOF", "127.0.0.1", "1")
    try:
        found = diagnose(endpoint)
    finally:
        command(admin, "REPLICAOF", "NO", "ONE")
    assert found.problems == ["read_only"]
    assert found.failed.name == "role"


def test_cluster_mode_off_where_the_configuration_says_on(endpoint: RedisEndpoint) -> None:
    found = diagnose(replace(endpoint, cluster=True))
    assert found.problems == ["cluster_off"]
    assert 'cluster = "off"' in found.failed.next_step


def test_too_many_connections(endpoint: RedisEndpoint, admin: redis.Redis) -> None:
    admin.ping()
    with setting(admin, "maxclients", 6), ExitStack() as stack:
        nodes = [
            stack.enter_context(closing(client(address_of(endpoint), endpoint))) for _ in range(6)
        ]
        with pytest.raises(redis.ConnectionError):  # the administrator's is the sixth
            [node.ping() for node in nodes]
        found = diagnose(endpoint)
    assert found.problems == ["too_many_connections"]


def test_no_room_for_the_connections_of_the_race(
    endpoint: RedisEndpoint, admin: redis.Redis
) -> None:
    used = int(admin.info("clients")["connected_clients"])
    with setting(admin, "maxclients", used + 10):
        assert diagnose(endpoint, connections=10).problems == []
        found = diagnose(endpoint, connections=11)
    assert found.problems == ["no_room"]
    assert f"{used} in use, 11 asked for" in found.failed.finding


def test_a_cache_that_fills_up(endpoint: RedisEndpoint, admin: redis.Redis) -> None:
    with setting(admin, "maxmemory-policy", "noeviction"):
        assert diagnose(endpoint).problems == ["cache_fills_up"]
