"""A Redis or Valkey server or cluster: connections to it, its topology, seeding, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from engines.endpoint import RedisEndpoint
from engines.key import KEY_PREFIX, key
from engines.topology import SLOTS, SlotRange
from engines.wire.resp import key_slot
from engines.workload import Cars, Readings, payload

CONNECT_TIMEOUT_S = 3.0
IO_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a server says of itself."""

    product: str
    version: str
    durability: str


def address_of(endpoint: RedisEndpoint) -> str:
    """An endpoint as a topology names it: "host:port"."""
    return f"{endpoint.host}:{endpoint.port}"


def _at(address: str, endpoint: RedisEndpoint) -> dict[str, Any]:
    # redis-py 8 would otherwise speak RESP3 and send four commands of its own on each connection.
    host, _, port = address.rpartition(":")
    return {
        "host": host,
        "port": int(port),
        "username": endpoint.user,
        "password": endpoint.password or None,
        "protocol": 2,
        "driver_info": None,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": IO_TIMEOUT_S,
    }


def open_socket(address: str, endpoint: RedisEndpoint) -> socket:
    """An authenticated connection to the node at `address`, taken off redis-py once it stands.

    Raises redis.RedisError or OSError.
    """
    connection = Connection(**_at(address, endpoint), retry=Retry(NoBackoff(), 0))  # type: ignore[no-untyped-call]
    connection.connect()  # type: ignore[no-untyped-call]
    sock: socket | None = connection._sock
    assert sock is not None
    connection._sock = None
    connection._parser.on_disconnect()
    sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    return sock


def client(address: str, endpoint: RedisEndpoint) -> Redis:
    """redis-py's client for the one node at `address`, without retries."""
    return Redis(**_at(address, endpoint), retry=Retry(NoBackoff(), 0))


def topology(endpoint: RedisEndpoint, addresses: Iterable[str] = ()) -> list[SlotRange]:
    """Who owns which slots, from the first node that answers: those at `addresses`, then the endpoint itself.

    A server that is no cluster owns them all. Raises redis.RedisError or OSError when no node answers.
    """
    if not endpoint.cluster:
        return [SlotRange(0, SLOTS - 1, address_of(endpoint))]
    seeds = [*addresses]
    if address_of(endpoint) not in seeds:
        seeds.append(address_of(endpoint))
    error: Exception | None = None
    for address in seeds:
        try:
            with client(address, endpoint) as node:
                return _slot_ranges(node.execute_command("CLUSTER SLOTS"), address)
        except (RedisError, OSError) as reason:
            error = reason
    assert error is not None
    raise error


def _slot_ranges(reply: Any, asked: str) -> list[SlotRange]:
    ranges = []
    for first, last, primary, *_ in reply:
        # A node that does not know its own address leaves the host empty: it is where the answer came from.
        host = _text(primary[0]) or asked.rpartition(":")[0]
        ranges.append(SlotRange(int(first), int(last), f"{host}:{int(primary[1])}"))
    return sorted(ranges, key=lambda part: part.first)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def nodes(endpoint: RedisEndpoint) -> list[str]:
    """The addresses of the primaries that own slots. Raises redis.RedisError or OSError."""
    return sorted({part.address for part in topology(endpoint)})


def seed(endpoint: RedisEndpoint, cars: Cars, readings: Readings, version: int) -> None:
    """Give each of `cars` a key with that version. Raises redis.RedisError or OSError."""
    ranges = topology(endpoint)
    by_address: dict[str, list[tuple[bytes, bytes]]] = {}
    for row, car_id in enumerate(range(cars.first, cars.last + 1)):
        name = key(car_id)
        slot = key_slot(name)
        owner = next((part for part in ranges if part.first <= slot <= part.last), None)
        if owner is None:
            raise ResponseError(f"no node serves slot {slot}, where {name.decode()} belongs")
        value = payload(car_id, readings.payload[row % len(readings.payload)], version)
        by_address.setdefault(owner.address, []).append((name, value))
    for address, pairs in by_address.items():
        with client(address, endpoint) as node, node.pipeline(transaction=False) as pipeline:
            for name, value in pairs:
                pipeline.set(name, value)
            pipeline.execute()


def forget(endpoint: RedisEndpoint) -> int:
    """Remove telemon's own keys, and no others; how many there were. Raises redis.RedisError or OSError."""
    removed = 0
    for address in nodes(endpoint):
        with client(address, endpoint) as node:
            names: list[bytes] = []
            for name in node.scan_iter(match=KEY_PREFIX + b"*", count=1000):
                names.append(name)
                if len(names) == 1000:
                    removed += _unlink(node, names)
                    names = []
            removed += _unlink(node, names)
    return removed


def _unlink(node: Redis, names: list[bytes]) -> int:
    """One UNLINK a key, pipelined: on a cluster's node one command must not span slots."""
    with node.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.unlink(name)
        return sum(pipeline.execute())


def facts(endpoint: RedisEndpoint) -> RedisFacts:
    """A server's product, version and durability, as it states them. Raises redis.RedisError or OSError."""
    with client(address_of(endpoint), endpoint) as node:
        server: Mapping[str, Any] = node.info("server")
        valkey = server.get("server_name") == "valkey"
        return RedisFacts(
            product="Valkey" if valkey else "Redis",
            version=str(server["valkey_version" if valkey else "redis_version"]),
            durability=_durability(node),
        )


def _durability(node: Redis) -> str:
    persistence: Mapping[str, Any] = node.info("persistence")
    if not persistence.get("aof_enabled"):
        return "none: memory only"
    try:
        policy = str(node.config_get("appendfsync").get("appendfsync", "unknown"))
    except ResponseError:
        return "append-only file; fsync policy not readable"
    return {
        "always": "append-only file, fsync before every reply",
        "everysec": "append-only file, fsync about once a second",
        "no": "append-only file, fsync left to the kernel",
    }.get(policy, f"append-only file, appendfsync {policy}")


class RedisCounters:
    """Reads the counters of a server, or of all primaries of a cluster, over connections of its own."""

    def __init__(self, endpoint: RedisEndpoint) -> None:
        self._endpoint = endpoint
        self._clients: dict[str, Redis] = {}

    def read(self, address: str) -> dict[str, int]:
        """A node's keyspace hits and misses, expired and evicted keys, and its calls of GET and SET.

        Raises redis.RedisError or OSError.
        """
        node = self._clients.get(address)
        if node is None:
            node = self._clients[address] = client(address, self._endpoint)
        stats: Mapping[str, Any] = node.info("stats")
        calls: Mapping[str, Any] = node.info("commandstats")
        read = {
            name: int(stats[name])
            for name in ("keyspace_hits", "keyspace_misses", "expired_keys", "evicted_keys")
        }
        for command in ("get", "set"):
            read[f"{command}_calls"] = int(calls.get(f"cmdstat_{command}", {}).get("calls", 0))
        return read

    def close(self) -> None:
        for node in self._clients.values():
            node.close()
        self._clients.clear()
