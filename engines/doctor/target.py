"""Servers to check, and the load that a race puts on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint

OWN_CONNECTIONS = 2
"""Connections per server besides the racing ones: one that reads its counters, and one that holds the lease."""

Endpoint = TypeVar("Endpoint", MySQLEndpoint, RedisEndpoint)


@dataclass(frozen=True, slots=True)
class PlannedLoad:
    """Load of a race: connections per lane, and rows per write."""

    writers: int
    readers: int
    batch: int


@dataclass(frozen=True, slots=True)
class Target(Generic[Endpoint]):
    """Server to check.

    `lanes` race on it with `connections` in total; on a cluster, that many to each node. `cache` says that it holds
    only copies.
    """

    endpoint: Endpoint
    lanes: tuple[str, ...]
    connections: int
    batch: int
    cache: bool = False

    @property
    def title(self) -> str:
        """Return the text that names the server in the output."""
        endpoint, many = self.endpoint, "lanes" if len(self.lanes) > 1 else "lane"
        product, database = "Redis", ""
        if isinstance(endpoint, MySQLEndpoint):
            product, database = "MySQL", f"/{endpoint.database}"
        return (
            f"{product} {endpoint.host}:{endpoint.port}{database} ({many} {', '.join(self.lanes)})"
        )


def targets(
    lanes: Mapping[str, LaneEndpoints], load: PlannedLoad
) -> list[Target[MySQLEndpoint] | Target[RedisEndpoint]]:
    """Return the servers of `lanes`, each once, because lanes may share a server."""
    mysql_targets: dict[MySQLEndpoint, Target[MySQLEndpoint]] = {}
    redis_targets: dict[RedisEndpoint, Target[RedisEndpoint]] = {}
    for lane, endpoint in lanes.items():
        if endpoint.mysql is not None:
            count = load.writers + load.readers + OWN_CONNECTIONS
            _add(mysql_targets, Target(endpoint.mysql, (lane,), count, load.batch))
        if endpoint.redis is not None:
            cache = endpoint.mysql is not None
            count = load.readers + OWN_CONNECTIONS + (0 if cache else load.writers)
            _add(redis_targets, Target(endpoint.redis, (lane,), count, load.batch, cache))
    return [*_add_up_connections(mysql_targets), *_add_up_connections(redis_targets)]


def _add(known: dict[Endpoint, Target[Endpoint]], new: Target[Endpoint]) -> None:
    before = known.get(new.endpoint)
    if before is not None:
        new = replace(
            before,
            lanes=before.lanes + new.lanes,
            connections=before.connections + new.connections,
            cache=before.cache and new.cache,
        )
    known[new.endpoint] = new


def _add_up_connections(known: dict[Endpoint, Target[Endpoint]]) -> list[Target[Endpoint]]:
    """Return the targets with all connections of their server: two lanes may use two databases of one server."""
    total: Counter[tuple[str, int]] = Counter()
    for endpoint, target in known.items():
        total[endpoint.host, endpoint.port] += target.connections
    return [
        replace(target, connections=total[endpoint.host, endpoint.port])
        for endpoint, target in known.items()
    ]
