"""A server that is looked at, and what a race asks of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint

COUNTING = 1
"""Beside the racing connections one reads the server's own counters."""

Endpoint = TypeVar("Endpoint", MySQLEndpoint, RedisEndpoint)


@dataclass(frozen=True, slots=True)
class PlannedLoad:
    """What a race brings: connections per lane, and rows per write."""

    writers: int
    readers: int
    batch: int


@dataclass(frozen=True, slots=True)
class Target(Generic[Endpoint]):
    """`lanes` race on it with `connections` altogether (at a cluster: to each node); `cache` says that it holds
    nothing but copies."""

    endpoint: Endpoint
    lanes: tuple[str, ...]
    connections: int
    batch: int
    cache: bool = False

    @property
    def title(self) -> str:
        at, many = self.endpoint, "lanes" if len(self.lanes) > 1 else "lane"
        product, database = "Redis", ""
        if isinstance(at, MySQLEndpoint):
            product, database = "MySQL", f"/{at.database}"
        return f"{product} {at.host}:{at.port}{database} ({many} {', '.join(self.lanes)})"


def targets(
    lanes: Mapping[str, LaneEndpoints], load: PlannedLoad
) -> list[Target[MySQLEndpoint] | Target[RedisEndpoint]]:
    """The servers of `lanes`, each once: two lanes may share one."""
    mysqls: dict[MySQLEndpoint, Target[MySQLEndpoint]] = {}
    rediss: dict[RedisEndpoint, Target[RedisEndpoint]] = {}
    for lane, at in lanes.items():
        if at.mysql is not None:
            count = load.writers + load.readers + COUNTING
            _add(mysqls, Target(at.mysql, (lane,), count, load.batch))
        if at.redis is not None:
            cache = at.mysql is not None
            count = load.readers + COUNTING + (0 if cache else load.writers)
            _add(rediss, Target(at.redis, (lane,), count, load.batch, cache))
    return [*_sharing(mysqls), *_sharing(rediss)]


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


def _sharing(known: dict[Endpoint, Target[Endpoint]]) -> list[Target[Endpoint]]:
    """The same, each with all that its server must bear: two lanes may have a database each on one server."""
    total: Counter[tuple[str, int]] = Counter()
    for at, target in known.items():
        total[at.host, at.port] += target.connections
    return [replace(target, connections=total[at.host, at.port]) for at, target in known.items()]
