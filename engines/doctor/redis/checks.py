"""Checks of a Redis server or cluster after sign-in: role, nodes, permissions, durability and free connections."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from engines.backends.redis.client import ClusterModeError, address_of, read_facts, slot_map
from engines.backends.redis.cluster_mode import ClusterMode, read_cluster_mode
from engines.backends.redis.optional import UNANSWERED, info, number
from engines.doctor import clock, round_trip
from engines.doctor.check import Check, CheckRunner, Checks
from engines.doctor.redis import keys
from engines.doctor.redis import permissions as permissions
from engines.doctor.redis.cluster import ClusterLayout, Node, check_coverage, check_nodes
from engines.doctor.redis.sign_in import FULL_STEP, refused, sign_in
from engines.doctor.target import Target
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.slot_map import SlotRange
from engines.text import foreign_number
from engines.wire.redis_info import product_and_version
from engines.wire.resp import SLOTS
from engines.workload.namespace import DEFAULT

SOME_SCAN = ("SCAN", 0, "MATCH", DEFAULT.doctor_prefix + b"*", "COUNT", 1)
"""Command used as a ping if PING is not allowed."""

MODE = "cluster mode"
"""Name of the check."""

WRITER_STEP = "name the primary endpoint, not a reader endpoint"
"""Next step for an endpoint that is a replica."""


def check_redis(target: Target[RedisEndpoint]) -> Iterator[Check]:
    """Yield the checks of one Redis server or cluster, up to the first failed one."""
    runner = CheckRunner(target.title)
    with ExitStack() as stack:
        try:
            node = yield from sign_in(runner, target.endpoint, address_of(target.endpoint))
            if node is not None:
                stack.callback(node.close)
                yield from _checks_after_sign_in(runner, target, node, stack)
        except (RedisError, OSError) as error:
            yield refused(runner, "connection", error, target.endpoint)


def _checks_after_sign_in(
    runner: CheckRunner, target: Target[RedisEndpoint], node: Redis, stack: ExitStack
) -> Iterator[Check]:
    endpoint = target.endpoint
    try:
        clustered = yield from _check_mode(runner, endpoint, node)
        if clustered is None:
            return
        endpoint = replace(endpoint, cluster=clustered)
        target = replace(target, endpoint=endpoint)
        ahead_s = clock.offset_s(lambda: _utc_s(node))
        if ahead_s is not None:
            yield clock.check_clock(runner, ahead_s)
        nodes_and_layout = yield from _check_role_and_nodes(
            runner, endpoint, node, clustered, stack
        )
    except NoPermissionError:
        # A permission is missing. Find out which others are missing too, and report all of them at
        # once.
        cluster = endpoint.cluster is not False
        found = permissions.read_permissions(node, _permission_probes(endpoint, cluster=cluster))
        yield from permissions.check_permissions(runner, found, target)
        return
    if nodes_and_layout is None:
        return
    nodes, layout = nodes_and_layout
    yield from _check_round_trip(runner, nodes)
    # Before any key is tried or asked for: that would disturb another telemon's race.
    if (yield from keys.check_lease(runner, endpoint)) is None:
        return
    if (yield from _check_permissions(runner, target, nodes, layout, clustered=clustered)) is None:
        return
    if (yield from keys.check_keys(runner, endpoint, cache=target.cache)) is None:
        return
    yield from _check_durability(runner, target, nodes)
    yield from _check_free_connections(runner, target, nodes)


def _info(node: Redis, section: str) -> Mapping[str, Any]:
    """Return a section of INFO; empty if the server does not show it."""
    return info(node, section)


def _check_mode(runner: CheckRunner, endpoint: RedisEndpoint, node: Redis) -> Checks[bool]:
    """Check product and cluster mode. Return whether the server is taken for a node of a cluster.

    The mode is asked for as a race asks.
    """
    server = _info(node, "server")
    try:
        mode: ClusterMode | None = read_cluster_mode(node, endpoint)
        clustered = mode is not None and mode.clustered
    except ClusterModeError:
        # The configuration says the contrary.
        mode, clustered = None, endpoint.cluster is False
    if server:
        product, version = product_and_version(server)
        runner.endpoint = runner.endpoint.replace("Redis", product, 1)
        yield runner.ok("product", f"{product} {version}{', a cluster' if clustered else ''}")
    else:
        yield runner.warn(
            "product",
            "info_denied",
            "INFO is refused, which a race can do without: product, role, durability and room stay unknown",
            "an administrator should add to the user's rules: +info",
        )
    if mode is not None:
        if mode.refusal and not clustered:
            yield _assumed_standalone(runner, mode)
        return clustered
    if endpoint.cluster is None:
        yield runner.fail(
            MODE,
            "no_replicas",
            "the server is in no cluster, and the configuration wants to read from replicas",
            'set read_from = "primaries", or name the configuration endpoint of a cluster',
        )
    elif endpoint.cluster:
        yield runner.fail(
            MODE,
            "cluster_off",
            "the server is no cluster (cluster mode is off), and the configuration says that it is",
            'set cluster = "off" or "auto", or name the configuration endpoint of a cluster',
        )
    else:
        yield runner.fail(
            MODE,
            "cluster_on",
            "the server is a node of a cluster, and the configuration says that it is none",
            'set cluster = "on" or "auto"',
        )
    return None


def _assumed_standalone(runner: CheckRunner, mode: ClusterMode) -> Check:
    """Return the check of a server that refuses CLUSTER SLOTS and is taken for one in no cluster."""
    if mode.shown:
        return runner.ok(MODE, f"off, as INFO says; CLUSTER SLOTS is refused ({mode.refusal})")
    return runner.warn(
        MODE,
        "cluster_unknown",
        f"CLUSTER SLOTS is refused ({mode.refusal}), and INFO does not say it: taken for a server in no cluster",
        'if it is in none, set cluster = "off"; if it is in one, an administrator must add to the user\'s rules: '
        "+cluster|slots",
    )


def _utc_s(node: Redis) -> float | None:
    """Return the server's time in seconds since 1970, from INFO if allowed, else from TIME; None if neither is."""
    server_us = number(_info(node, "server"), "server_time_usec")
    if server_us is None:
        with suppress(*UNANSWERED):
            seconds, us = (foreign_number(part) for part in node.time())
            return None if seconds is None or us is None else seconds + us / 1e6
        return None
    return server_us / 1e6


def _check_role_and_nodes(
    runner: CheckRunner, endpoint: RedisEndpoint, node: Redis, clustered: bool, stack: ExitStack
) -> Generator[Check, None, tuple[Sequence[Node], ClusterLayout] | None]:
    """Check role, slots and nodes. Return the nodes that take part and their slots."""
    here = address_of(endpoint)
    role = _info(node, "replication").get("role")
    if not clustered:
        if role == "slave":
            yield runner.fail("role", "read_only", "a replica, which takes no writes", WRITER_STEP)
            return None
        if role:
            yield runner.ok("role", "primary")
        return [Node(here, False, node)], ClusterLayout((SlotRange(0, SLOTS - 1, here),))
    if role:
        kind = "replica" if role == "slave" else "primary"
        yield runner.ok("role", f"{kind} in a cluster, which knows the others")
    layout = ClusterLayout(tuple(slot_map(replace(endpoint, cluster=True))))
    if (yield from check_coverage(runner, layout)) is None:
        return None
    nodes = yield from check_nodes(runner, endpoint, layout, stack)
    return None if nodes is None else (nodes, layout)


def _check_round_trip(runner: CheckRunner, nodes: Sequence[Node]) -> Iterator[Check]:
    """Check the round trip of the node that is farthest away.

    Yields no check if no command that can serve as a ping is allowed.
    """
    times = {}
    for node in nodes:
        for call in (("PING",), SOME_SCAN):
            with suppress(ResponseError):
                times[node.address] = round_trip.round_trips_ms(
                    lambda at=node.client, call=call: permissions.command(at, *call)  # type: ignore[misc]
                )
                break
    if times:
        farthest = max(times, key=lambda address: times[address][len(times[address]) // 2])
        where = f" (the farthest of {len(times)} nodes, {farthest})" if len(times) > 1 else ""
        yield from round_trip.check_round_trip(runner, times[farthest], where)


def _permission_probes(
    endpoint: RedisEndpoint, *, cluster: bool, name: bytes | None = None
) -> list[tuple[bytes | str | int, ...]]:
    name = name or permissions.own_key(endpoint.namespace)
    return permissions.probes(name, cluster=cluster, replicas=endpoint.read_replicas)


def _check_permissions(
    runner: CheckRunner,
    target: Target[RedisEndpoint],
    nodes: Sequence[Node],
    layout: ClusterLayout,
    *,
    clustered: bool,
) -> Checks[bool]:
    endpoint, found = target.endpoint, []
    for node in nodes:
        if not node.replica:
            name = permissions.own_key(
                endpoint.namespace,
                lambda slot, at=node.address: layout.owns(at, slot),  # type: ignore[misc]
            )
            calls = _permission_probes(endpoint, cluster=clustered, name=name)
            found.append(permissions.read_permissions(node.client, calls))
    worst = min(found, key=lambda part: (-len(part.commands), part.keys))
    return (yield from permissions.check_permissions(runner, worst, target))


def _check_durability(
    runner: CheckRunner, target: Target[RedisEndpoint], nodes: Sequence[Node]
) -> Iterator[Check]:
    memory = _info(nodes[0].client, "memory")
    if not memory:
        return
    policy, limit = str(memory.get("maxmemory_policy", "")), number(memory, "maxmemory") or 0
    evicts = policy != "noeviction" and bool(limit)
    if target.cache:
        if limit and not evicts:
            yield runner.warn(
                "durability",
                "cache_fills_up",
                f"a cache that drops nothing when its {limit:,} bytes are full (noeviction)",
                "writes will fail then: set maxmemory-policy to allkeys-lru or volatile-lru",
            )
        else:
            yield runner.ok(
                "durability", f"a cache, it may forget; when full: {policy or 'unknown'}"
            )
        return
    persistence = _info(nodes[0].client, "persistence")
    facts = read_facts(target.endpoint)
    if _is_memorydb(target.endpoint):
        yield runner.ok("durability", "MemoryDB: a log over several availability zones")
    elif evicts:
        yield runner.warn(
            "durability",
            "evicts",
            f"throws keys away when its {limit:,} bytes are full ({policy})",
            "a system of record must not: set maxmemory-policy to noeviction",
        )
    elif not persistence.get("aof_enabled"):
        yield runner.warn(
            "durability",
            "not_durable",
            "none that INFO shows: no append-only file",
            "this is no system of record: lane durable is meant for MemoryDB, or for appendonly yes with appendfsync "
            "always; say so beside the result",
        )
    elif facts.fsync_policy in ("always", None):
        yield runner.ok("durability", facts.durability)
    else:
        yield runner.warn(
            "durability",
            "weak_durability",
            facts.durability,
            "an acknowledged write may be lost in a crash, which makes it faster: set appendfsync always, or say so "
            "beside the result",
        )


def _is_memorydb(endpoint: RedisEndpoint) -> bool:
    return ".memorydb." in endpoint.host and endpoint.host.endswith((".amazonaws.com", ".com.cn"))


def _check_free_connections(
    runner: CheckRunner, target: Target[RedisEndpoint], nodes: Sequence[Node]
) -> Iterator[Check]:
    """Check the free connections of the node that has the fewest."""
    free: dict[str, tuple[int, int, int]] = {}
    for node in nodes:
        clients = _info(node.client, "clients")
        allowed, connected = number(clients, "maxclients"), number(clients, "connected_clients")
        if allowed is None or connected is None:
            yield runner.ok("room", "the server does not say how many connections it takes")
            return
        used = connected - 1  # minus this connection
        free[node.address] = (allowed - used, allowed, used)
    address, (free_count, allowed, used) = min(free.items(), key=lambda item: item[1])
    where = f" at {address}" if len(nodes) > 1 else ""
    finding = (
        f"{allowed:,} connections allowed, {used:,} in use, {target.connections} asked for{where}"
    )
    if target.connections > free_count:
        yield runner.fail("room", "no_room", finding, FULL_STEP)
    else:
        yield runner.ok("room", finding)
