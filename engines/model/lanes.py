"""Table of the lanes: how each writes and reads, on which servers, and which Redis commands it sends.

Everything that depends on the lane asks a property of `Lane` or looks up a `WritePath` or `ReadPath`. A lane's id is
compared only in rules between two named lanes. The generators that run are in `engines.lanes.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from engines.model.roles import Role


class WritePath(StrEnum):
    """How a lane's writers store a row."""

    MYSQL = "mysql"
    """An upsert into MySQL. The cache, if there is one, is left alone."""
    REDIS = "redis"
    """A SET in a Redis Cluster."""


class ReadPath(StrEnum):
    """How a lane's readers fetch a row."""

    SELECT = "select"
    """A SELECT in MySQL."""
    CACHE_ASIDE = "cache-aside"
    """A GET from the cache; on a miss a SELECT, then a SET with a TTL (lazy loading)."""
    GET = "get"
    """A GET from a Redis Cluster that is the system of record."""


SQL_PATHS = frozenset({WritePath.MYSQL, ReadPath.SELECT, ReadPath.CACHE_ASIDE})
"""The paths that send SQL statements. A path that is missing here gets no MySQL connection for its overhead
measurement."""

REDIS_COMMANDS: Mapping[WritePath | ReadPath, tuple[str, ...]] = {
    WritePath.MYSQL: (),
    WritePath.REDIS: ("SET",),
    ReadPath.SELECT: (),
    ReadPath.CACHE_ASIDE: ("GET", "SET"),
    ReadPath.GET: ("GET",),
}
"""The Redis commands that each path sends while it races. An engine process asks for the slot map only if its path
has an entry that is not empty."""

RACE_COMMANDS = tuple(dict.fromkeys(name for names in REDIS_COMMANDS.values() for name in names))
"""Every Redis command that some path sends: those that the servers' counters are compared with."""

COMMANDS_USED = frozenset(
    (*RACE_COMMANDS, "PEXPIRE", "SCAN", "UNLINK", "INFO", "CLUSTER SLOTS", "ASKING", "READONLY")
)
"""Every Redis command that telemon needs permission for, before, during and after a race. `READONLY` only where
replicas are read, and `PEXPIRE` only for a lease. The doctor's permission checks and the ACL in docs/bastion.md are
compared with it by a test."""


Product = Literal["mysql", "redis"]
"""What kind of server a lane needs: one that speaks MySQL's protocol, or Redis's."""


@dataclass(frozen=True, slots=True)
class ServerSlot:
    """One server, or one cluster, that a lane needs.

    `table` is the TOML table of its settings and, in upper case, the prefix of their variables. `sandbox` names the
    private servers that stand in for it. `database` is the default name of its database, empty for Redis.
    """

    table: str
    product: Product
    role: Literal["database", "cache", "store"]
    sandbox: tuple[str, ...]
    database: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to store the data: its servers, the system of record first, and its paths."""

    id: str
    title: str
    approach: str
    servers: tuple[ServerSlot, ...]
    write: WritePath
    read: ReadPath

    @property
    def has_cache(self) -> bool:
        """Return whether reads go through a cache in front of the system of record."""
        return any(slot.role == "cache" for slot in self.servers)

    @property
    def has_mysql(self) -> bool:
        """Return whether the lane needs a MySQL server."""
        return any(slot.product == "mysql" for slot in self.servers)

    @property
    def has_redis(self) -> bool:
        """Return whether the lane needs a Redis server or cluster."""
        return any(slot.product == "redis" for slot in self.servers)

    @property
    def writes_sql(self) -> bool:
        """Return whether writers send SQL statements."""
        return self.write in SQL_PATHS

    @property
    def reads_redis(self) -> bool:
        """Return whether a read begins with a GET, so that it is a hit or a miss."""
        return bool(REDIS_COMMANDS[self.read])

    @property
    def is_cluster(self) -> bool:
        """Return whether the system of record is a Redis Cluster."""
        return any(slot.role == "store" for slot in self.servers)

    def path(self, role: Role) -> WritePath | ReadPath:
        """Return the path of `role`."""
        return self.write if role == "write" else self.read

    def redis_commands(self, role: Role) -> tuple[str, ...]:
        """Return the names of the Redis commands that `role` sends while it races."""
        return REDIS_COMMANDS[self.path(role)]


MYSQL = Lane(
    "mysql",
    "MySQL",
    "write to MySQL, read from MySQL",
    (ServerSlot("mysql", "mysql", "database", ("mysql",), "telemon"),),
    WritePath.MYSQL,
    ReadPath.SELECT,
)

CACHED = Lane(
    "cached",
    "MySQL + cache",
    "write to MySQL, read through a lazy Redis cache",
    (
        ServerSlot("cached.mysql", "mysql", "database", ("cached-mysql",), "telemon_cached"),
        ServerSlot("cached.redis", "redis", "cache", ("cache",)),
    ),
    WritePath.MYSQL,
    ReadPath.CACHE_ASIDE,
)

DURABLE = Lane(
    "durable",
    "Durable Redis",
    "a durable Redis Cluster is the system of record",
    (ServerSlot("durable", "redis", "store", ("durable-1", "durable-2", "durable-3")),),
    WritePath.REDIS,
    ReadPath.GET,
)

LANES: Mapping[str, Lane] = {lane.id: lane for lane in (MYSQL, CACHED, DURABLE)}
"""The lanes by id, in the order in which they stand side by side."""

SERVER_SLOTS: tuple[ServerSlot, ...] = tuple(
    slot for lane in LANES.values() for slot in lane.servers
)
"""The servers of all lanes, in the order of the lanes."""

LANE_OF: Mapping[str, str] = {
    name: lane.id for lane in LANES.values() for slot in lane.servers for name in slot.sandbox
}
"""The lane of every server of a full sandbox. A server's position here is its port's distance from the base port."""

SLOT_OF: Mapping[str, ServerSlot] = {name: slot for slot in SERVER_SLOTS for name in slot.sandbox}
"""What each server of a full sandbox stands in for, by the server's name."""


@dataclass(frozen=True, slots=True)
class LaneInfo:
    """Description of a racing lane, known before its first frame.

    `approach` is a sentence. `product`, `version` and `durability` are read from the lane's servers. `notes` are the
    caveats that stand beside the lane's numbers.
    """

    lane: str
    title: str
    approach: str
    product: str
    version: str
    durability: str
    notes: tuple[str, ...] = ()
    overhead_us: Mapping[str, float] = field(default_factory=dict)
    """Median service time in us of an operation against the null server, by role: the client overhead."""
