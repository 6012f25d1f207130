"""Runs a race on given servers and adds up what its frames say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from engines.backends.redis.client import client, nodes, seed
from engines.config import race_config as config
from engines.config.server_config import RedisConfig
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Frame, LaneState
from engines.metrics.merge import merge
from engines.metrics.stats import CacheStats, RoleStats
from engines.provisioning.seed import SEED_VERSION
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.redis_keys import KEY_PREFIX

SHORT = config.RaceConfig(writers=3, readers=6, batch=20, warmup_s=0.0, duration_s=1.0, seed=11)
"""Long enough for thousands of operations in each lane."""


@dataclass(frozen=True)
class LaneSum:
    """All that a lane said it did, warm-up included, and how far its servers' own counters moved."""

    write: RoleStats
    read: RoleStats
    cache: CacheStats
    redirects: int
    reconnects: int
    server: Mapping[str, int]
    versions: Mapping[int, int]


@dataclass(frozen=True)
class Ran:
    frames: list[Frame]
    lanes: Mapping[str, LaneSum]
    closing: ClosingCounts

    def states(self, lane: str) -> list[LaneState]:
        return [part.state for frame in self.frames for part in frame.lanes if part.lane == lane]


def run_race(
    sandbox: Sandbox | None,
    settings: config.RaceConfig = SHORT,
    *,
    interval_s: float = 0.25,
    hold: bool = False,
    on_frame: Callable[[Race, Frame], None] = lambda *_: None,
) -> Ran:
    """Race to the end, calling `on_frame` at every frame."""
    frames = []
    with Race(
        settings,
        interval_s=interval_s,
        sandbox=sandbox,
        keep_versions=True,
        hold=hold,
    ) as race:
        for frame in race.frames():
            frames.append(frame)
            on_frame(race, frame)
        lanes = {lane: _sum(race, frames, lane) for lane in settings.lanes}
        return Ran(frames, lanes, race.closing_counts)


def _sum(race: Race, frames: list[Frame], lane: str) -> LaneSum:
    parts = [part for frame in frames for part in frame.lanes if part.lane == lane]
    measured = [part for part in parts if part.state is not LaneState.WARMING]
    warm = race.closing_counts.warm[lane]
    return LaneSum(
        write=_work([*(part.write for part in measured), warm["write"].work]),
        read=_work([*(part.read for part in measured), warm["read"].work]),
        cache=merge(CacheStats, [*(part.cache for part in measured), warm["read"].cache]),
        redirects=sum(part.redirects for part in parts),
        reconnects=sum(part.reconnects for part in parts),
        server=dict(parts[-1].server),
        versions=race.versions.get(lane, {}),
    )


def engine_pids(race: Race) -> dict[str, int]:
    """Return the process ids of the engine processes by name."""
    return {engine.name: engine.pid for engine in race._engine_group.engines}


def mysql(endpoint: MySQLEndpoint | None, *, autocommit: bool = True) -> Connection[Cursor]:
    """A connection to look with."""
    assert endpoint is not None
    return pymysql.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.database,
        autocommit=autocommit,
        ssl_disabled=True,
    )


def table(endpoint: MySQLEndpoint | None) -> dict[int, tuple[int, int, int, int, int]]:
    """Every row by car: rpm, water_temp, oil_temp, oil_pressure, version."""
    with mysql(endpoint) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT car_id, rpm, water_temp, oil_temp, oil_pressure, version FROM cars")
        return {row[0]: tuple(row[1:]) for row in cursor.fetchall()}


def keys(endpoint: RedisEndpoint | None) -> dict[int, bytes]:
    """telemon's payloads by car, over all nodes."""
    assert endpoint is not None
    found: dict[int, bytes] = {}
    for address in nodes(endpoint):
        with client(address, endpoint) as node:
            for name in node.scan_iter(match=KEY_PREFIX + b"*", count=5000):
                car_id = name.removeprefix(KEY_PREFIX)
                value = node.get(name) if car_id.isdigit() else None
                if value is not None:
                    found[int(car_id)] = value
    return found


def forget(sandbox: Sandbox) -> None:
    """A cold start: no rows, no keys."""
    for endpoints in sandbox.endpoints.values():
        if endpoints.mysql is not None:
            with mysql(endpoints.mysql) as connection, connection.cursor() as cursor:
                cursor.execute("DROP TABLE IF EXISTS cars")
        if endpoints.redis is not None:
            for address in nodes(endpoints.redis):
                with client(address, endpoints.redis) as node:
                    node.flushall()


def store_in_memory(sandbox: Sandbox, port: int | None = None) -> RedisConfig:
    """The sandbox's cache, forgotten and with the hot cars in it, as a store of one's own for lane durable: a single
    Redis that writes nothing to disk. `port` is another way to it."""
    forget(sandbox)
    at = sandbox.endpoints["cached"].redis
    assert at is not None
    seed(replace(at, cluster=False), HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    return RedisConfig(
        host=at.host, port=port or at.port, password=at.password, tls=False, cluster="off"
    )


def with_settings(**changes: object) -> config.RaceConfig:
    """`SHORT` with changes."""
    return replace(SHORT, **changes)  # type: ignore[arg-type]


def _work(parts: list[RoleStats]) -> RoleStats:
    return merge(RoleStats, parts, interval_s=1.0)
