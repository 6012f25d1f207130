"""The doctor on a Redis Cluster that is really broken, one way at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from signal import SIGSTOP
from typing import Any

import pytest
import redis

from engines.backends.redis.client import address_of, client, nodes
from engines.backends.redis.own_keys import delete_own_keys
from engines.doctor.redis.permissions import command
from engines.endpoints.endpoint import RedisEndpoint
from engines.provisioning.prepare import plan
from engines.sandbox.sandbox import Sandbox
from tests.servers.test_doctor_redis import USER, setting, user
from tests.support.diagnosis import diagnose
from tests.support.tunnel import tunnel

HOST = "127.0.0.1"
SETTLE_S = 5.0


@pytest.fixture
def endpoint(sandbox: Sandbox) -> Iterator[RedisEndpoint]:
    """A cluster that is prepared, as one that telemon did not start."""
    at = sandbox.endpoints["durable"].redis
    assert at is not None
    for change in plan({"durable": sandbox.endpoints["durable"]}, seed=1).changes:
        change.apply()
    yield replace(at, nodes=())
    delete_own_keys(at)


@pytest.fixture
def admins(endpoint: RedisEndpoint) -> Iterator[dict[str, redis.Redis]]:
    """A client of each node, by address."""
    with ExitStack() as stack:
        yield {
            address: stack.enter_context(client(address, endpoint)) for address in nodes(endpoint)
        }


def look(endpoint: RedisEndpoint, **how: Any) -> Any:
    return diagnose(endpoint, cache=False, **how)


def on_all(admins: dict[str, redis.Redis], *words: bytes | str | int) -> None:
    for node in admins.values():
        command(node, *words)


@pytest.mark.parametrize("cluster", [True, None], ids=["said", "asked"])
def test_a_cluster_in_order(endpoint: RedisEndpoint, cluster: bool | None) -> None:
    found = look(replace(endpoint, cluster=cluster))
    assert found.problems == []
    assert [check.name for check in found.checks] == [
        "name resolution",
        "TCP",
        "TLS",
        "authentication",
        "product",
        "clock",
        "role",
        "cluster coverage",
        "cluster nodes",
        "round trip",
        "other telemons",
        "permissions",
        "keys",
        "durability",
        "room",
    ]


def test_cluster_mode_on_where_the_configuration_says_off(endpoint: RedisEndpoint) -> None:
    found = look(replace(endpoint, cluster=False))
    assert found.problems == ["cluster_on"]


def test_a_slot_that_nobody_serves(endpoint: RedisEndpoint, admins: dict[str, redis.Redis]) -> None:
    slot = 16_000
    owner = max(admins)  # the ports count upwards, and so do the slots
    on_all(admins, "CLUSTER", "DELSLOTS", slot)
    try:
        found = look(endpoint)
    finally:
        command(admins[owner], "CLUSTER", "ADDSLOTS", slot)
        _whole(admins)
    assert found.problems == ["slots_uncovered"]
    assert "1 of the 16,384 slots" in found.failed.finding
    assert str(slot) in found.failed.finding


def _whole(admins: dict[str, redis.Redis]) -> None:
    until = time.monotonic() + SETTLE_S
    for node in admins.values():
        while node.cluster("INFO")["cluster_slots_ok"] != "16384":
            assert time.monotonic() < until
            time.sleep(0.02)


def test_a_node_that_is_dead(endpoint: RedisEndpoint, breakable: Sandbox) -> None:
    breakable.kill("durable-2")
    found = look(endpoint)
    assert found.problems == ["node_unreachable"]
    assert found.failed.name == "cluster nodes"
    assert f":{breakable.servers['durable-2'].port}: TCP" in found.failed.finding


def test_a_node_that_hangs(endpoint: RedisEndpoint, breakable: Sandbox) -> None:
    breakable.kill("durable-3", SIGSTOP)
    found = look(endpoint)
    assert found.problems == ["node_unreachable"]
    assert "1 of 3 nodes" in found.failed.finding


def _tells(node: redis.Redis, names: Iterable[str]) -> bool:
    told = str(command(node, "CLUSTER SLOTS"))
    return all(name in told for name in names) and "b'?'" not in told


@contextmanager
def named_nodes(admins: dict[str, redis.Redis]) -> Iterator[dict[str, str]]:
    """The nodes call themselves by names that resolve only where they are, as those of ElastiCache do; names of
    addresses."""
    names = {address: f"node-{n}.cluster.invalid" for n, address in enumerate(sorted(admins))}
    for address, node in admins.items():
        node.config_set("cluster-announce-hostname", names[address])
        node.config_set("cluster-preferred-endpoint-type", "hostname")
    try:
        until = time.monotonic() + SETTLE_S
        for node in admins.values():  # until the news has gone round
            while not _tells(node, names.values()):
                assert time.monotonic() < until
                time.sleep(0.02)
        yield {address: f"{names[address]}:{address.rpartition(':')[2]}" for address in names}
    finally:
        for node in admins.values():
            node.config_set("cluster-preferred-endpoint-type", "ip")
            node.config_set("cluster-announce-hostname", "")


def test_a_tunnel_to_one_node_only(endpoint: RedisEndpoint, admins: dict[str, redis.Redis]) -> None:
    """The classic: the configuration endpoint comes through, and the cluster sends its client to nodes that do not."""
    with named_nodes(admins) as names, tunnel(endpoint.port) as near:
        at = replace(endpoint, address_map=((address_of(endpoint), f"{HOST}:{near}"),))
        found = look(at)
        own = names[address_of(endpoint)]
        half = look(replace(at, address_map=(*at.address_map, (own, f"{HOST}:{near}"))))
    assert found.problems == half.problems == ["node_unmapped"]
    assert "address_map" in found.failed.next_step
    for name in names.values():
        assert name in found.failed.finding
        assert (name in half.failed.finding) == (name != own)


def test_nodes_out_of_reach_without_a_tunnel(
    endpoint: RedisEndpoint, admins: dict[str, redis.Redis]
) -> None:
    with named_nodes(admins):
        assert look(endpoint).problems == ["node_unreachable"]


def test_tunnels_to_all_nodes(endpoint: RedisEndpoint, admins: dict[str, redis.Redis]) -> None:
    with named_nodes(admins) as names, ExitStack() as stack:
        ways = {
            name: f"{HOST}:{stack.enter_context(tunnel(int(name.rpartition(':')[2])))}"
            for name in names.values()
        }
        first = (address_of(endpoint), ways[names[address_of(endpoint)]])
        found = look(replace(endpoint, address_map=(first, *ways.items())))
        assert found.problems == []
        # One local port for two nodes sends half of the commands to the wrong one.
        one, two, *_ = ways
        ways[two] = ways[one]
        found = look(replace(endpoint, address_map=(first, *ways.items())))
        assert found.problems == ["nodes_share_way"]


def test_a_tunnel_whose_far_end_is_dead(
    endpoint: RedisEndpoint, admins: dict[str, redis.Redis]
) -> None:
    with named_nodes(admins) as names, ExitStack() as stack:
        ways = {
            name: f"{HOST}:{stack.enter_context(tunnel(int(name.rpartition(':')[2])))}"
            for name in names.values()
        }
        first = (address_of(endpoint), ways[names[address_of(endpoint)]])
        ways[max(ways)] = f"{HOST}:{stack.enter_context(tunnel(1))}"
        found = look(replace(endpoint, address_map=(first, *ways.items())))
    assert found.problems == ["node_unreachable"]
    assert "hangs up" in found.failed.finding


def test_rights_that_are_missing_on_one_node_only(
    endpoint: RedisEndpoint, admins: dict[str, redis.Redis]
) -> None:
    rules = ("+@all", "~telemon:*")
    last = admins[max(admins)]
    with ExitStack() as stack:
        for node in admins.values():
            at = stack.enter_context(user(node, endpoint, *rules))
        assert look(at).problems == []
        command(last, "ACL", "SETUSER", USER, "resetkeys", "~other:*")
        assert look(at).problems == ["denied_keys"]
        command(last, "ACL", "SETUSER", USER, "~telemon:*", "-set")
        assert look(at).problems == ["denied_commands"]
        command(last, "ACL", "DELUSER", USER)
        found = look(at)
        command(last, "ACL", "SETUSER", USER)
    assert found.problems == ["wrong_password"]
    assert found.failed.name == "cluster nodes"


def test_a_user_who_may_not_ask_for_the_slots(
    endpoint: RedisEndpoint, admins: dict[str, redis.Redis]
) -> None:
    with ExitStack() as stack:
        for node in admins.values():
            at = stack.enter_context(user(node, endpoint, "+@all", "-cluster", "~telemon:*"))
        found = look(at)
    assert found.problems == ["denied_commands"]
    assert found.failed.next_step.endswith(": +cluster|slots")


def test_the_hot_cars_are_not_there(endpoint: RedisEndpoint) -> None:
    delete_own_keys(endpoint)
    found = look(endpoint)
    assert found.problems == ["not_seeded"]
    assert "telemon prepare" in found.failed.next_step


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("appendfsync", "everysec", "weak_durability"),
        ("appendonly", "no", "not_durable"),
    ],
)
def test_writes_that_a_crash_may_lose(
    endpoint: RedisEndpoint, admins: dict[str, redis.Redis], name: str, value: str, problem: str
) -> None:
    with setting(admins[address_of(endpoint)], name, value):
        assert look(endpoint).problems == [problem]


def test_a_system_of_record_that_throws_away(
    endpoint: RedisEndpoint, admins: dict[str, redis.Redis]
) -> None:
    node = admins[address_of(endpoint)]
    with setting(node, "maxmemory", "100mb"), setting(node, "maxmemory-policy", "allkeys-lru"):
        assert look(endpoint).problems == ["evicts"]


def test_no_room_on_one_node(endpoint: RedisEndpoint, admins: dict[str, redis.Redis]) -> None:
    address = max(admins)
    used = int(admins[address].info("clients")["connected_clients"])
    with setting(admins[address], "maxclients", used + 20):
        assert look(endpoint, connections=20).problems == []
        found = look(endpoint, connections=21)
    assert found.problems == ["no_room"]
    assert address in found.failed.finding
