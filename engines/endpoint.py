"""Where a server is and how to sign in to it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MySQLEndpoint:
    """A MySQL or MariaDB server and the database on it that telemon uses. The password never shows in a repr."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str


@dataclass(frozen=True, slots=True)
class RedisEndpoint:
    """A Redis or Valkey server: one on its own, or (`cluster`) any node of a cluster. The password never shows."""

    host: str
    port: int
    password: str = field(repr=False)
    cluster: bool = False
    user: str | None = None


@dataclass(frozen=True, slots=True)
class LaneEndpoints:
    """One lane's servers: `mysql` in lanes `mysql` and `cached`, `redis` in `cached` (the cache) and `durable`."""

    lane: str
    mysql: MySQLEndpoint | None = None
    redis: RedisEndpoint | None = None
