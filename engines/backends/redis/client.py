"""A Redis or Valkey server or cluster: its topology, seeding, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from engines.backends.redis.connection import client as client
from engines.backends.redis.connection import open_socket as open_socket
from engines.endpoints.credential_sources import SecretError
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.slot_map import SlotRange
from engines.wire.redis_info import product_and_version
from engines.wire.resp import SLOTS, key_slot
from engines.workload.dataset import KeyRange, TelemetryPool, payload
from engines.workload.redis_keys import KEY_PREFIX, is_telemon_key, redis_key

FAILURES = (RedisError, OSError, SecretError)
"""What a server that cannot be used raises."""


class ClusterModeError(RedisError):
    """A server is part of a cluster and the configuration says that it is not, or the reverse."""


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
    """An endpoint as a topology names it: "host:port"."""
    return f"{endpoint.host}:{endpoint.port}"


NO_CLUSTER = "cluster support disabled"
"""What a server on its own answers to questions on its cluster."""


def resolve_cluster_mode(endpoint: RedisEndpoint) -> RedisEndpoint:
    """`endpoint` with `cluster` as the server has it, where that was left to the server. Raises one of FAILURES.

    A configuration that says otherwise than the server is a ClusterModeError. Of a server that does not let its user
    ask, what the configuration says is believed.
    """
    try:
        ranges = _ask(address_of(endpoint), endpoint)
    except NoPermissionError:
        if endpoint.cluster is None:
            raise
        return endpoint
    if endpoint.cluster is False and ranges is not None:
        raise ClusterModeError('it is part of a cluster: set cluster to "auto" or "on"')
    _check_cluster(endpoint, ranges)
    return replace(endpoint, cluster=ranges is not None)


def slot_map(endpoint: RedisEndpoint, addresses: Iterable[str] = ()) -> list[SlotRange]:
    """Who owns which slots, from the first node that answers: those at `addresses`, then the endpoint itself.

    A server that is no cluster owns them all. Raises one of FAILURES when no node answers.
    """
    alone = [SlotRange(0, SLOTS - 1, address_of(endpoint))]
    if endpoint.cluster is False:
        return alone
    seeds = dict.fromkeys([*addresses, address_of(endpoint)])
    error: Exception | None = None
    for address in seeds:
        try:
            ranges = _ask(address, endpoint)
        except FAILURES as reason:
            error = reason
            continue
        _check_cluster(endpoint, ranges)
        return alone if ranges is None else ranges
    assert error is not None
    raise error


def _ask(address: str, endpoint: RedisEndpoint) -> list[SlotRange] | None:
    """The cluster as the node at `address` sees it; None if it is part of none."""
    with client(address, endpoint) as node:
        return slot_ranges(node, address)


def slot_ranges(node: Redis, address: str) -> list[SlotRange] | None:
    """The cluster as `node`, which is at `address`, sees it; None if it is part of none. Raises redis.RedisError."""
    try:
        return _slot_ranges(node.execute_command("CLUSTER SLOTS"), address)  # type: ignore[no-untyped-call]
    except ResponseError as error:
        if NO_CLUSTER not in str(error):
            raise
        return None


def _check_cluster(endpoint: RedisEndpoint, ranges: list[SlotRange] | None) -> None:
    if endpoint.cluster and ranges is None:
        raise ClusterModeError('it is no part of a cluster: set cluster to "auto" or "off"')


def _slot_ranges(reply: Any, asked: str) -> list[SlotRange]:
    """What CLUSTER SLOTS says: [first, last, primary, replica, ...], a node being [host, port, id, metadata]."""
    ranges = []
    for first, last, *nodes in reply:
        primary, *replicas = _addresses(nodes, asked)
        ranges.append(SlotRange(int(first), int(last), primary, tuple(replicas)))
    return sorted(ranges, key=lambda part: part.first)


def _addresses(nodes: Iterable[Any], asked: str) -> Iterator[str]:
    for node in nodes:
        host = _text(node[0])
        if host == "?":  # it was told to be called by a host name, and not by which
            pairs = [_text(part) for part in node[3]] if len(node) > 3 else []
            host = dict(zip(pairs[::2], pairs[1::2], strict=False)).get("ip", "")
        # A node that does not know its own address leaves the host empty: it is where the answer came from.
        yield f"{host or asked.rpartition(':')[0]}:{int(node[1])}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def nodes(endpoint: RedisEndpoint) -> list[str]:
    """The addresses of the primaries that own slots. Raises one of FAILURES."""
    return sorted({part.address for part in slot_map(endpoint)})


def seed(endpoint: RedisEndpoint, cars: KeyRange, readings: TelemetryPool, version: int) -> None:
    """Give each of `cars` a key with that version. Raises one of FAILURES."""
    every = readings.payload
    rows = (
        (car_id, payload(car_id, every[row % len(every)], version))
        for row, car_id in enumerate(range(cars.first, cars.last + 1))
    )
    fill(endpoint, rows)


def fill(
    endpoint: RedisEndpoint,
    rows: Iterable[tuple[int, bytes]],
    ttl_ms: Callable[[], int] | None = None,
) -> None:
    """Set the key of each (car_id, payload), to live for as long as `ttl_ms` says each time, or for ever.

    Raises one of FAILURES.
    """
    ranges = slot_map(endpoint)
    by_address: dict[str, list[tuple[bytes, bytes]]] = {}
    for car_id, value in rows:
        name = redis_key(car_id)
        slot = key_slot(name)
        owner = next((part for part in ranges if part.first <= slot <= part.last), None)
        if owner is None:
            raise ResponseError(f"no node serves slot {slot}, where {name.decode()} belongs")
        by_address.setdefault(owner.address, []).append((name, value))
    for address, pairs in by_address.items():
        with client(address, endpoint) as node, node.pipeline(transaction=False) as pipeline:
            for name, value in pairs:
                pipeline.set(name, value, px=ttl_ms() if ttl_ms is not None else None)
            pipeline.execute()


def own_keys(node: Redis) -> Iterator[bytes]:
    """telemon's keys on one node, some perhaps twice. Raises redis.RedisError.

    SCAN goes over all keys bit by bit, and never holds the server up as KEYS would.
    """
    for name in node.scan_iter(match=KEY_PREFIX + b"*", count=1000):
        if is_telemon_key(name):
            yield name


def delete_own_keys(endpoint: RedisEndpoint) -> int:
    """Remove telemon's own keys, and no others; how many there were. Raises one of FAILURES."""
    removed = 0
    for address in nodes(endpoint):
        with client(address, endpoint) as node:
            names = own_keys(node)
            while some := list(islice(names, 1000)):
                # One UNLINK a key: on a cluster's node one command must not span slots.
                with node.pipeline(transaction=False) as pipeline:
                    for name in some:
                        pipeline.unlink(name)
                    removed += sum(pipeline.execute())
    return removed


NOT_READABLE = "not readable"
"""What is said for what a server does not say."""


def read_facts(endpoint: RedisEndpoint) -> RedisFacts:
    """A server's product, version and durability, as it states them. Raises one of FAILURES."""
    with client(address_of(endpoint), endpoint) as node:
        try:
            server: Mapping[str, Any] = node.info("server")
            policy = _fsync_policy(node)
            return RedisFacts(*product_and_version(server), _durability(policy), policy)
        except NoPermissionError:
            return RedisFacts("Redis", NOT_READABLE, NOT_READABLE)


def _fsync_policy(node: Redis) -> str | None:
    """Return `RedisFacts.fsync_policy`. Managed services hide it, and their INFO does not show what keeps the data."""
    persistence: Mapping[str, Any] = node.info("persistence")
    try:
        policy = str(node.config_get("appendfsync").get("appendfsync", "unknown"))
    except ResponseError:
        return None
    return policy if persistence.get("aof_enabled") else ""


def _durability(fsync_policy: str | None) -> str:
    """Return the durability that follows from `RedisFacts.fsync_policy`, in words."""
    if fsync_policy is None:
        return NOT_READABLE
    return {
        "": "none: memory only",
        "always": "append-only file, fsync before every reply",
        "everysec": "append-only file, fsync about once a second",
        "no": "append-only file, fsync left to the kernel",
    }.get(fsync_policy, f"append-only file, appendfsync {fsync_policy}")
