"""A race's settings: typed, checked, and each value knows where it came from.

A flag goes before the environment, that before the file, that before the default. The file is the one that
`--config` names, else the one that TELEMON_CONFIG names, else telemon/config.toml under $XDG_CONFIG_HOME (by default
~/.config) when there is one. The current directory is never searched: on a shared host it is anybody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from engines.config.errors import ConfigError, cite_setting
from engines.config.server_config import MySQLConfig, RedisConfig, ServerConfig
from engines.config.settings import (
    BY_KEY,
    SERVER_TABLES,
    SETTINGS,
    LoadConfig,
    SandboxConfig,
    Setting,
)
from engines.endpoints.endpoint import LaneEndpoints
from engines.model.lanes import LANES, Lane
from engines.text import to_toml
from engines.workload.namespace import Namespace

HEADLESS_DURATION_S = 30.0
"""How long a race without a screen lasts when nobody says."""


def _unset(table: str) -> ServerConfig:
    """Return the configuration of a server that no setting names."""
    rows = {row.field: row.default for row in SETTINGS if row.table == table}
    kind: type[Any] = MySQLConfig if "database" in rows else RedisConfig
    server: ServerConfig = kind(**rows)
    return server


UNSET: Mapping[str, Any] = {
    "sandbox": SandboxConfig(),
    **{table: _unset(table) for table in SERVER_TABLES},
}
"""The tables of a file, with nothing in them."""


@dataclass(frozen=True, slots=True)
class RaceConfig(LoadConfig):
    """Everything that makes a race this race: the load, the private servers, and the servers that the user names.

    The servers of the lanes are `mysql`, `cached_mysql`, `cached_redis` and `durable`. A server without a host is a
    private one.

    `sources` holds (key, source) for each setting that does not have its default. `warnings` are for the user, a line
    each. Raises ConfigError if two settings contradict each other.
    """

    sandbox: SandboxConfig = UNSET["sandbox"]
    mysql: MySQLConfig = UNSET["mysql"]
    cached_mysql: MySQLConfig = UNSET["cached.mysql"]
    cached_redis: RedisConfig = UNSET["cached.redis"]
    durable: RedisConfig = UNSET["durable"]
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        self._check_servers()
        if self.mode == "pace" and self.rate_per_s is None:
            raise ConfigError(f"{self.cite('mode')}: needs a rate; set rate too")
        if not self.writers and not self.readers:
            raise ConfigError(
                f"{self.cite('writers')} and {self.cite('readers')}: "
                "at least one of the two must be more than 0"
            )
        for role in ("writers", "readers"):
            connections = getattr(self, role)
            if connections and self.processes > connections:
                raise ConfigError(
                    f"{self.cite('processes')}: must not be more than the connections "
                    f"that they share, {self.cite(role)}"
                )

    def _check_servers(self) -> None:
        for table in SERVER_TABLES:
            server = self._backend(table)
            if server.host is None:
                for setting in SETTINGS:
                    if setting.table == table and self.value(setting) != setting.default:
                        raise ConfigError(
                            f"{self.cite(setting.key)}: means nothing without {table}.host"
                        )
                continue
            for names, conflict in server.conflicts():
                places = " and ".join(self.cite(f"{table}.{name}") for name in names)
                raise ConfigError(f"{places}: {conflict}")
        self._check_pairs()

    def _check_pairs(self) -> None:
        """Raise ConfigError for a lane with one of its two servers, and for racing lanes that must not share a server.

        What a lane that does not race would do to the others is no error.
        """
        halves = {"cached.mysql.host": self.cached_mysql, "cached.redis.host": self.cached_redis}
        missing = [key for key, server in halves.items() if server.host is None]
        if len(missing) == 1 and "cached" in self.lanes:
            here = next(key for key in halves if key not in missing)
            raise ConfigError(
                f"{self.cite(here)}: lane cached has two servers; {missing[0]} is missing"
            )
        racing = frozenset(self.lanes)
        one, two = self.mysql, self.cached_mysql
        if (
            {"mysql", "cached"} <= racing
            and one.host is not None
            and (one.host, one.port, one.database)
            == (
                two.host,
                two.port,
                two.database,
            )
        ):
            raise ConfigError(
                f"{self.cite('mysql.database')} and {self.cite('cached.mysql.database')}: on one server two "
                "lanes need a database each, or they write one table"
            )
        cache, cluster = self.cached_redis, self.durable
        if (
            {"cached", "durable"} <= racing
            and cache.host is not None
            and (cache.host, cache.port) == (cluster.host, cluster.port)
        ):
            raise ConfigError(
                f"{self.cite('cached.redis.host')} and {self.cite('durable.host')}: one server cannot be the cache "
                "of one lane and the system of record of another"
            )

    def _backend(self, table: str) -> ServerConfig:
        server: ServerConfig = getattr(self, table.replace(".", "_"))
        return server

    @property
    def endpoints(self) -> dict[str, LaneEndpoints]:
        """Return the servers of each racing lane for which the user named some. The other lanes have private ones."""
        made = (self._endpoints(LANES[lane]) for lane in self.lanes)
        return {endpoints.lane: endpoints for endpoints in made if endpoints is not None}

    def _endpoints(self, lane: Lane) -> LaneEndpoints | None:
        servers = [self._backend(slot.table) for slot in lane.servers]
        if servers[0].host is None:
            return None
        own = Namespace(self.namespace or "")
        mysql = [
            replace(server.endpoint(), namespace=own)
            for server in servers
            if isinstance(server, MySQLConfig)
        ]
        redis = [
            replace(server.endpoint(), namespace=own)
            for server in servers
            if isinstance(server, RedisConfig)
        ]
        return LaneEndpoints(lane.id, next(iter(mysql), None), next(iter(redis), None))

    @property
    def private_lanes(self) -> tuple[str, ...]:
        """Return the lanes that race on private servers: those for which the settings name no servers."""
        named = self.endpoints
        return tuple(lane for lane in self.lanes if lane not in named)

    @property
    def engine_processes(self) -> int:
        """Return the number of engine processes of all lanes. A process has at least one connection."""
        return len(self.lanes) * sum(
            min(self.processes, connections) for connections in self.connections.values()
        )

    @property
    def load(self) -> LoadConfig:
        """Return the settings without the servers, for engine processes."""
        return LoadConfig(**{each.name: getattr(self, each.name) for each in fields(LoadConfig)})

    @property
    def fairness(self) -> dict[str, object]:
        """Return by field the settings that the fairness sheet shows, in the order of the table."""
        return {row.field: self.value(row) for row in SETTINGS if row.in_fairness_sheet}

    def items(self) -> Iterator[tuple[str, object, str]]:
        """Return (key, value, source) of every setting, in the order of the table. Secrets are masked."""
        sources = dict(self.sources)
        for setting in SETTINGS:
            value = self.value(setting)
            unnamed = "default" if value == setting.default else "set by the program"
            yield setting.key, setting.shown(value), sources.get(setting.key, unnamed)

    def value(self, setting: Setting) -> object:
        """Return the value of one setting, not masked."""
        holder = getattr(self, setting.table.replace(".", "_")) if setting.table else self
        value: object = getattr(holder, setting.field)
        return value

    def headless(self) -> RaceConfig:
        """Return the same race with an end."""
        if self.duration_s is not None:
            return self
        return replace(
            self,
            duration_s=HEADLESS_DURATION_S,
            sources=(*self.sources, ("duration", "default without a screen")),
        )

    def to_json(self) -> dict[str, object]:
        """Return the settings as a result holds them: names with units, paths as text, secrets masked.

        Of the servers it holds only those that are configured.
        """
        tables: dict[str, dict[str, object]] = {}
        for setting in SETTINGS:
            if setting.table in SERVER_TABLES and self._backend(setting.table).host is None:
                continue
            value = setting.shown(self.value(setting))
            if isinstance(value, tuple):
                value = dict(value) if setting.field == "address_map" else list(value)
            elif isinstance(value, Path):
                value = str(value)
            tables.setdefault(setting.table, {})[setting.field] = value
        return {**tables.pop("", {}), **tables}

    def cite(self, key: str) -> str:
        """Return the source and the value of a setting, as an error message begins."""
        setting = BY_KEY[key]
        source = dict(self.sources).get(key, "default")
        value = setting.shown(self.value(setting))
        if setting.table in SERVER_TABLES:
            return cite_setting(setting, source, "not set" if value is None else to_toml(value))
        return cite_setting(setting, source, str(value))
