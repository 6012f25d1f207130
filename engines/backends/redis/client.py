"""Access to a Redis or Valkey server or cluster: topology, seeding, and facts about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from engines.backends.redis.connection import client as client
from engines.backends.redis.connection import open_socket as open_socket
from engines.backends.redis.optional import info, number, setting
from engines.backends.redis.reply_parser import unexpected_reply
from engines.endpoints.credential_sources import SecretError
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.node_addresses import is_configured
from engines.endpoints.redaction import foreign_text
from engines.endpoints.slot_map import SlotRange
from engines.model.server_facts import UNREADABLE
from engines.text import foreign_number
from engines.wire.redis_info import product_and_version
from engines.wire.resp import SLOTS, key_slot
from engines.workload.dataset import KeyRange, TelemetryPool, payload
from engines.workload.redis_keys import redis_key

FAILURES = (RedisError, OSError, SecretError)
"""Exceptions raised for a server that cannot be used."""


class ClusterModeError(RedisError):
    """The configured cluster mode differs from the server's."""


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """Product, version and durability of a server, in its own words.

    `fsync_policy` is the appendfsync setting of its append-only file: "" without such a file, None if not readable.
    """

    product: str
    version: str
    durability: str
    fsync_policy: str | None = None


def address_of(endpoint: RedisEndpoint) -> str:
    """Return the address of an endpoint in the format of the slot map: "host:port"."""
    return f"{endpoint.host}:{endpoint.port}"


NO_SLOTS = "the cluster serves no slot: no node owns any"
"""The error of a cluster that was never given its slots."""

NO_CLUSTER = "cluster support disabled"
"""Part of the error with which a standalone server answers CLUSTER commands."""


def resolve_cluster_mode(endpoint: RedisEndpoint) -> RedisEndpoint:
    """Return `endpoint` with `cluster` set to the server's mode if the configuration leaves it open.

    Raises one of FAILURES, ClusterModeError if the configuration contradicts the server. If the user may not ask the
    server, the configuration is trusted; if it leaves the mode open, the server is taken for one in no cluster.
    """
    try:
        ranges = _fetch_slot_ranges(address_of(endpoint), endpoint)
    except NoPermissionError:
        if endpoint.cluster is None:
            raise  # INFO says that it is in a cluster
        return endpoint
    if endpoint.cluster is False and ranges is not None:
        raise ClusterModeError('it is part of a cluster: set cluster to "auto" or "on"')
    _check_cluster(endpoint, ranges)
    return replace(endpoint, cluster=ranges is not None)


def slot_map(endpoint: RedisEndpoint, addresses: Iterable[str] = ()) -> list[SlotRange]:
    """Return the owners of the slots as reported by the first node that answers.

    The nodes at `addresses` are tried first, then the endpoint itself. A standalone server owns all slots. Raises one
    of FAILURES if no node answers.
    """
    alone = [SlotRange(0, SLOTS - 1, address_of(endpoint))]
    if endpoint.cluster is False:
        return alone
    seeds = dict.fromkeys([*addresses, address_of(endpoint)])
    error: Exception | None = None
    for address in seeds:
        try:
            ranges = _fetch_slot_ranges(address, endpoint)
        except FAILURES as reason:
            error = reason
            continue
        _check_cluster(endpoint, ranges)
        return alone if ranges is None else ranges
    assert error is not None
    raise error


def _fetch_slot_ranges(address: str, endpoint: RedisEndpoint) -> list[SlotRange] | None:
    """Return the cluster as the node at `address` sees it, None if it is in no cluster."""
    with client(address, endpoint) as node:
        try:
            return slot_ranges(node, address, endpoint)
        except ResponseError:
            # A server that does not tell is taken for one that is in no cluster, unless it says so
            # elsewhere. If it is in one, its redirects say it.
            if endpoint.cluster or number(info(node, "cluster"), "cluster_enabled"):
                raise
            return None


def slot_ranges(node: Redis, address: str, endpoint: RedisEndpoint) -> list[SlotRange] | None:
    """Return the cluster as `node`, which is at `address`, sees it; None if it is in no cluster.

    Raises redis.RedisError, also if a node of a private cluster names one that telemon did not start: a node that
    was just restarted does not know the ports of the others for a moment.
    """
    try:
        ranges = _parse_slot_ranges(node.execute_command("CLUSTER SLOTS"), address)  # type: ignore[no-untyped-call]
    except ResponseError as error:
        if NO_CLUSTER not in str(error):
            raise
        return None
    named = (at for part in ranges for at in (part.address, *part.replicas))
    if endpoint.nodes and any(not is_configured(at, endpoint) for at in named):
        raise RedisError(f"{address} names a node that telemon did not start")
    return ranges


def _check_cluster(endpoint: RedisEndpoint, ranges: list[SlotRange] | None) -> None:
    if endpoint.cluster and ranges is None:
        raise ClusterModeError('it is no part of a cluster: set cluster to "auto" or "off"')


def _parse_slot_ranges(reply: Any, asked_address: str) -> list[SlotRange]:
    """Parse the reply of CLUSTER SLOTS: [first, last, primary, replica, ...].

    A node is [host, port, id, metadata]. Raises RedisProtocolError for anything else.
    """
    try:
        if len(reply) > SLOTS:
            raise ValueError(f"there are {SLOTS:,} slots, and the reply has more ranges")
        ranges = []
        for first, last, *nodes in reply:
            primary, *replicas = _addresses(nodes, asked_address)
            ranges.append(SlotRange(_number(first), _number(last), primary, tuple(replicas)))
        ranges.sort(key=lambda part: part.first)
        _check_ranges(ranges)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise unexpected_reply("CLUSTER SLOTS", reply, error) from error
    return ranges


MAX_NODES = 1_000
"""Largest number of nodes of a cluster (Redis Cluster specification). telemon opens connections to each."""


def _check_ranges(ranges: list[SlotRange]) -> None:
    """Raise ValueError if a range is none, if two overlap, or if they name more than `MAX_NODES` nodes."""
    free = 0
    nodes: set[str] = set()
    for part in ranges:
        if not free <= part.first <= part.last < SLOTS:
            raise ValueError(f"slots {part.first} to {part.last} are not {free} to {SLOTS - 1}")
        free = part.last + 1
        nodes.update((part.address, *part.replicas))
        if len(nodes) > MAX_NODES:
            raise ValueError(f"the cluster has more than {MAX_NODES:,} nodes")


def _addresses(nodes: Iterable[Any], asked_address: str) -> Iterator[str]:
    for node in nodes:
        host = _text(node[0])
        if host == "?":  # the node announces a host name that is not configured
            pairs = [_text(part) for part in node[3]] if len(node) > 3 else []
            host = dict(zip(pairs[::2], pairs[1::2], strict=False)).get("ip", "")
        # A node that does not know its address leaves the host empty: use the address that
        # answered.
        port = _number(node[1])
        if not 0 < port < 65_536:
            raise ValueError(f"{port} is no port")
        yield f"{host or asked_address.rpartition(':')[0]}:{port}"


def _number(value: Any) -> int:
    found = foreign_number(value)
    if found is None:
        raise ValueError("a slot or a port is no number")
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def nodes(endpoint: RedisEndpoint) -> list[str]:
    """Return the addresses of the primaries that own slots. Raises one of FAILURES, also if there are none."""
    found = sorted({part.address for part in slot_map(endpoint)})
    if not found:
        raise RedisError(NO_SLOTS)
    return found


def seed(endpoint: RedisEndpoint, keys: KeyRange, telemetry: TelemetryPool, version: int) -> None:
    """Write a key with the given version for each of `keys`. Raises one of FAILURES."""
    samples = telemetry.payload
    rows = (
        (car_id, payload(car_id, samples[row % len(samples)], version))
        for row, car_id in enumerate(range(keys.first, keys.last + 1))
    )
    fill(endpoint, rows)


def fill(
    endpoint: RedisEndpoint,
    rows: Iterable[tuple[int, bytes]],
    ttl_ms: Callable[[], int] | None = None,
) -> None:
    """Set the key of each (car_id, payload).

    `ttl_ms` is called once per key and returns its time to live in ms; None: keys do not expire. Raises one of
    FAILURES.
    """
    ranges, prefix = slot_map(endpoint), endpoint.namespace.key_prefix
    by_address: dict[str, list[tuple[bytes, bytes]]] = {}
    for car_id, value in rows:
        name = redis_key(car_id, prefix)
        slot = key_slot(name)
        address = slot_owner(ranges, slot)
        if address is None:
            raise unserved(slot, name)
        by_address.setdefault(address, []).append((name, value))
    for address, pairs in by_address.items():
        with client(address, endpoint) as node, node.pipeline(transaction=False) as pipeline:
            for name, value in pairs:
                pipeline.set(name, value, px=ttl_ms() if ttl_ms is not None else None)
            pipeline.execute()


def slot_owner(ranges: Iterable[SlotRange], slot: int) -> str | None:
    """Return the address of the primary that serves `slot`, None if there is none."""
    return next((part.address for part in ranges if part.first <= slot <= part.last), None)


def owner(endpoint: RedisEndpoint, name: bytes) -> str:
    """Return the address of the primary that serves the key `name`. Blocks. Raises one of FAILURES."""
    slot = key_slot(name)
    address = slot_owner(slot_map(endpoint), slot)
    if address is None:
        raise unserved(slot, name)
    return address


def unserved(slot: int, name: bytes) -> ResponseError:
    """Return the error for the key `name`, whose slot no node serves."""
    return ResponseError(f"no node serves slot {slot}, where {name.decode()} belongs")


def read_facts(endpoint: RedisEndpoint) -> RedisFacts:
    """Return product, version and durability as the server reports them. Raises one of FAILURES."""
    with client(address_of(endpoint), endpoint) as node:
        product, version = map(foreign_text, product_and_version(info(node, "server")))
        policy = _fsync_policy(node)
        return RedisFacts(product, version or UNREADABLE, foreign_text(_durability(policy)), policy)


def _fsync_policy(node: Redis) -> str | None:
    """Return `RedisFacts.fsync_policy`. Managed services hide it, and their INFO does not show what keeps the data."""
    aof_enabled = number(info(node, "persistence"), "aof_enabled")
    policy = setting(node, "appendfsync")
    if policy is None or aof_enabled is None:
        return None
    return policy if aof_enabled else ""


def _durability(fsync_policy: str | None) -> str:
    """Return the durability that follows from `RedisFacts.fsync_policy`, in words."""
    if fsync_policy is None:
        return UNREADABLE
    return {
        "": "none: memory only",
        "always": "append-only file, fsync before every reply",
        "everysec": "append-only file, fsync about once a second",
        "no": "append-only file, fsync left to the kernel",
    }.get(fsync_policy, f"append-only file, appendfsync {fsync_policy}")
