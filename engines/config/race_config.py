"""A race's settings: typed, checked, and each value knows where it came from.

A flag goes before the environment, that before the file, that before the default. The file is the one that
`--config` names, else the one that TELEMON_CONFIG names, else telemon/config.toml under $XDG_CONFIG_HOME (by default
~/.config) when there is one. The current directory is never searched: on a shared host it is anybody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engines.config.errors import ConfigError, cite_setting
from engines.config.server_config import MySQLConfig, RedisConfig, ServerConfig
from engines.config.settings import BY_KEY, SERVER_TABLES, SETTINGS, Setting
from engines.endpoints.endpoint import LaneEndpoints
from engines.model.lanes import LANES
from engines.text import to_toml
from engines.workload.key_distribution import DistributionKind, KeyDistribution

HEADLESS_DURATION_S = 30.0
"""How long a race without a screen lasts when nobody says."""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Where the private servers live. None: telemon picks a directory, the system picks the ports."""

    directory: Path | None = None
    port: int | None = None


_EMPTY: Mapping[str, Any] = {
    "sandbox": SandboxConfig(),
    "mysql": MySQLConfig(),
    "cached.mysql": MySQLConfig(database=str(BY_KEY["cached.mysql.database"].default)),
    "cached.redis": RedisConfig(),
    "durable": RedisConfig(),
}
"""The tables of a file, with nothing in them."""


@dataclass(frozen=True, slots=True)
class RaceConfig:
    """Everything that makes a race this race. `writers` and `readers` are connections per lane; `duration_s` is the
    measured part, without the warm-up, and None means until somebody quits. The lanes' servers are `mysql`,
    `cached_mysql`, `cached_redis` and `durable`; those without a host are private ones.

    `sources` holds (key, source) for each setting that has not its default, `warnings` what somebody should change, a
    line each. Raises ConfigError when two settings contradict each other.
    """

    preset: str = "fair"
    lanes: tuple[str, ...] = LANES
    writers: int = 4
    readers: int = 8
    processes: int = 1
    batch: int = 100
    ttl_s: float = 120.0
    seed: int = 1
    mode: str = "saturate"
    rate_per_s: float | None = None
    heats: bool = False
    rounds: int = 2
    keys: DistributionKind = "uniform"
    zipf_exponent: float = 0.99
    hot_keys: float = 0.2
    hot_operations: float = 0.8
    ttl_jitter: float = 0.0
    cache: str = "cold"
    warmup_s: float = 2.0
    duration_s: float | None = None
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    mysql: MySQLConfig = _EMPTY["mysql"]
    cached_mysql: MySQLConfig = _EMPTY["cached.mysql"]
    cached_redis: RedisConfig = _EMPTY["cached.redis"]
    durable: RedisConfig = _EMPTY["durable"]
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        self._check_servers()
        if self.mode == "pace" and self.rate_per_s is None:
            raise ConfigError(f"{self.given('mode')}: needs a rate; set rate too")
        if not self.writers and not self.readers:
            raise ConfigError(
                f"{self.given('writers')} and {self.given('readers')}: "
                "at least one of the two must be more than 0"
            )
        for role in ("writers", "readers"):
            connections = getattr(self, role)
            if connections and self.processes > connections:
                raise ConfigError(
                    f"{self.given('processes')}: must not be more than the connections "
                    f"that they share, {self.given(role)}"
                )

    def _check_servers(self) -> None:
        for table in SERVER_TABLES:
            server = self._backend(table)
            if server.host is None:
                for setting in SETTINGS:
                    if setting.table == table and self.value(setting) != setting.default:
                        raise ConfigError(
                            f"{self.given(setting.key)}: means nothing without {table}.host"
                        )
                continue
            for names, fault in server.faults():
                places = " and ".join(self.given(f"{table}.{name}") for name in names)
                raise ConfigError(f"{places}: {fault}")
        self._check_pairs()

    def _check_pairs(self) -> None:
        """Raise for servers that cannot be what they are to each other."""
        halves = {"cached.mysql.host": self.cached_mysql, "cached.redis.host": self.cached_redis}
        missing = [key for key, server in halves.items() if server.host is None]
        if len(missing) == 1 and "cached" in self.lanes:
            here = next(key for key in halves if key not in missing)
            raise ConfigError(
                f"{self.given(here)}: lane cached has two servers; {missing[0]} is missing"
            )
        one, two = self.mysql, self.cached_mysql
        if one.host is not None and (one.host, one.port, one.database) == (
            two.host,
            two.port,
            two.database,
        ):
            raise ConfigError(
                f"{self.given('mysql.database')} and {self.given('cached.mysql.database')}: on one server two "
                "lanes need a database each, or they write one table"
            )
        cache, cluster = self.cached_redis, self.durable
        if cache.host is not None and (cache.host, cache.port) == (cluster.host, cluster.port):
            raise ConfigError(
                f"{self.given('cached.redis.host')} and {self.given('durable.host')}: one server cannot be the cache "
                "of one lane and the system of record of another"
            )

    def _backend(self, table: str) -> ServerConfig:
        server: ServerConfig = getattr(self, table.replace(".", "_"))
        return server

    @property
    def endpoints(self) -> dict[str, LaneEndpoints]:
        """The servers of the racing lanes that have servers of their own; the others have private ones."""
        made = {
            "mysql": lambda: LaneEndpoints("mysql", mysql=self.mysql.endpoint()),
            "cached": lambda: LaneEndpoints(
                "cached", mysql=self.cached_mysql.endpoint(), redis=self.cached_redis.endpoint()
            ),
            "durable": lambda: LaneEndpoints("durable", redis=self.durable.endpoint()),
        }
        first = {"mysql": self.mysql, "cached": self.cached_mysql, "durable": self.durable}
        return {lane: made[lane]() for lane in self.lanes if first[lane].host is not None}

    def items(self) -> Iterator[tuple[str, object, str]]:
        """(key, value, source) of every setting, in the order of the table. What is secret is masked."""
        sources = dict(self.sources)
        for setting in SETTINGS:
            value = self.value(setting)
            unnamed = "default" if value == setting.default else "set by the program"
            yield setting.key, setting.shown(value), sources.get(setting.key, unnamed)

    def value(self, setting: Setting) -> object:
        """The value of one setting, as it is."""
        holder = getattr(self, setting.table.replace(".", "_")) if setting.table else self
        value: object = getattr(holder, setting.field)
        return value

    @property
    def shape(self) -> KeyDistribution:
        """How operations are spread over keys."""
        return KeyDistribution(self.keys, self.zipf_exponent, self.hot_keys, self.hot_operations)

    def headless(self) -> RaceConfig:
        """The same race with an end."""
        if self.duration_s is not None:
            return self
        return replace(
            self,
            duration_s=HEADLESS_DURATION_S,
            sources=(*self.sources, ("duration", "default without a screen")),
        )

    def to_json(self) -> dict[str, object]:
        """The settings as a result holds them: names with units, paths as text, secrets masked. Of the servers only
        those that are configured are in it."""
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

    def given(self, key: str) -> str:
        """Where a setting stands and what it is, as an error begins."""
        setting = BY_KEY[key]
        source = dict(self.sources).get(key, "default")
        value = setting.shown(self.value(setting))
        if setting.table in SERVER_TABLES:
            return cite_setting(setting, source, "not set" if value is None else to_toml(value))
        return cite_setting(setting, source, str(value))
