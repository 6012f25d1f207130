"""What the servers of a lane say that a fair comparison must know. Read before the race, and off its clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from statistics import median
from time import perf_counter_ns
from typing import Any

from pymysql.cursors import Cursor
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from engines.backends.mysql import client as mysql
from engines.backends.redis import client as redis
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint, TlsOptions
from engines.model.server_facts import (
    FLUSH,
    LOG_BIN,
    SYNC_BINLOG,
    UNREADABLE,
    ServerFacts,
    TlsMode,
)

PINGS = 20

VARIABLES = (FLUSH, SYNC_BINLOG, LOG_BIN, "innodb_doublewrite")
"""MySQL manual, InnoDB Startup Options; Binary Logging Options."""

STATUS = ("Slaves_connected", "Rpl_semi_sync_master_clients", "Rpl_semi_sync_source_clients")
"""How many replicas there are, and how many of them a commit waits for. The first is MariaDB's, the last MySQL's."""

REDIS_SETTINGS = ("appendonly", "appendfsync", "min-replicas-to-write")


def read_server_facts(endpoints: LaneEndpoints) -> list[ServerFacts]:
    """A lane's servers, in the order in which it asks them.

    Raises one of the FAILURES of engines.backends.mysql.client and engines.backends.redis.client.
    """
    found = []
    if endpoints.mysql is not None:
        found.append(_mysql(endpoints.mysql))
    if endpoints.redis is not None:
        found.append(_redis(endpoints.redis, "store" if endpoints.mysql is None else "cache"))
    return found


def round_trip_us(ping: Callable[[], object]) -> float | None:
    """The median of `PINGS` pings, in us, as the client library sees it; None where the user may not ping."""
    took_ns = []
    for _ in range(PINGS):
        began_ns = perf_counter_ns()
        try:
            ping()
        except NoPermissionError:
            return None
        took_ns.append(perf_counter_ns() - began_ns)
    return round(median(took_ns) / 1000, 1)


def tls_mode(tls: TlsOptions | None) -> TlsMode:
    """Return how connections are encrypted."""
    if tls is None:
        return TlsMode.OFF
    return {
        "full": TlsMode.VERIFIED,
        "chain": TlsMode.ANY_HOST_NAME,
        "none": TlsMode.UNVERIFIED,
    }[tls.verify]


def _mysql(endpoint: MySQLEndpoint) -> ServerFacts:
    with mysql.cursor(endpoint) as cursor:
        facts = mysql.read_facts(cursor)
        return ServerFacts(
            role="database",
            product=facts.product,
            version=facts.version,
            nodes=1,
            tls=tls_mode(endpoint.tls),
            round_trip_us=round_trip_us(lambda: cursor.connection.ping(reconnect=False)),
            durability=_mysql_durability(cursor),
            identity=_digest(mysql.identity(cursor)),
        )


def _mysql_durability(cursor: Cursor) -> dict[str, str | int]:
    cursor.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {VARIABLES!r}")
    said = dict(cursor.fetchall())
    found: dict[str, str | int] = {
        name: _plain_value(said.get(name, UNREADABLE)) for name in VARIABLES
    }
    cursor.execute(f"SHOW GLOBAL STATUS WHERE Variable_name IN {STATUS!r}")
    counts = {name.lower(): int(value) for name, value in cursor.fetchall()}
    found["replicas"] = counts.get(STATUS[0].lower(), UNREADABLE)
    found["semi_sync_replicas"] = sum(counts.get(name.lower(), 0) for name in STATUS[1:])
    return found


def _redis(endpoint: RedisEndpoint, role: str) -> ServerFacts:
    facts = redis.read_facts(endpoint)
    nodes = redis.nodes(endpoint)
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        kept = list(pool.map(lambda address: _redis_durability(address, endpoint), nodes))
    # The first node that is pinged stands for all: they are reached the same way.
    with redis.client(nodes[0], endpoint) as node:
        trip_us = round_trip_us(node.ping)
    return ServerFacts(
        role=role,
        product=facts.product,
        version=facts.version,
        nodes=len(nodes),
        tls=tls_mode(endpoint.tls),
        round_trip_us=trip_us,
        durability={name: _common([each[name] for each in kept]) for name in kept[0]},
        identity=_digest(nodes),
    )


def _redis_durability(address: str, endpoint: RedisEndpoint) -> dict[str, str | int]:
    with redis.client(address, endpoint) as node:
        found: dict[str, str | int] = {
            name: _plain_value(_setting(node, name)) for name in REDIS_SETTINGS
        }
        if found["appendonly"] == "no":
            del found["appendfsync"]  # of a file that there is not
        try:
            replication: Mapping[str, Any] = node.info("replication")
            found["replicas"] = int(replication["connected_slaves"])
        except (ResponseError, KeyError):
            found["replicas"] = UNREADABLE
    return found


def _digest(names: Sequence[str]) -> str:
    """One word for what names a server: enough to tell two apart, and it gives no host or path away."""
    return sha256("\0".join(names).encode()).hexdigest()[:16]


def _setting(node: Redis, name: str) -> str:
    try:
        return str(node.config_get(name).get(name, UNREADABLE))
    except ResponseError:
        return UNREADABLE


def _plain_value(value: object) -> str | int:
    text = str(value)
    return int(text) if text.isdecimal() else text


def _common(values: list[str | int]) -> str | int:
    """What the nodes of a cluster have in common; all that they say where they differ."""
    return values[0] if len(set(values)) == 1 else " / ".join(sorted({str(v) for v in values}))
