"""Facts about a lane's servers that a fair comparison needs.

They are read before the race, outside its measured time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from statistics import median
from time import perf_counter_ns

from pymysql.cursors import Cursor
from redis.exceptions import ResponseError

from engines.backends.failure_text import error_text
from engines.backends.mysql import client as mysql
from engines.backends.mysql import optional
from engines.backends.redis import client as redis
from engines.backends.redis.optional import info, number, setting
from engines.endpoints.daemon_threads import in_parallel
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint, TlsOptions
from engines.endpoints.redaction import foreign_text
from engines.model.server_facts import (
    DATABASE,
    ENGINE,
    FLUSH,
    INNODB,
    LOG_BIN,
    SQL_LOG_BIN,
    SYNC_BINLOG,
    UNREADABLE,
    ServerFacts,
    Settings,
    TlsMode,
    settings_of_all,
)
from engines.text import foreign_number

PING_COUNT = 20
"""Number of pings whose median is the round trip of a server."""

VARIABLES = (FLUSH, SYNC_BINLOG, LOG_BIN, "innodb_doublewrite")
"""Variables that determine durability. MySQL manual, InnoDB Startup Options; Binary Logging Options."""

STATUS = ("Slaves_connected", "Rpl_semi_sync_master_clients", "Rpl_semi_sync_source_clients")
"""Status variables: number of replicas, and of replicas that a commit waits for.

The first is MariaDB's name and the last MySQL's.
"""

REDIS_SETTINGS = ("appendonly", "appendfsync", "min-replicas-to-write")
"""Settings of CONFIG GET that determine durability."""


def read_server_facts(endpoints: LaneEndpoints) -> list[ServerFacts]:
    """Return the facts of a lane's servers, in the order in which the lane asks them. Blocks.

    Raises one of the FAILURES of engines.backends.mysql.client and engines.backends.redis.client.
    """
    facts = []
    if endpoints.mysql is not None:
        facts.append(_mysql(endpoints.mysql))
    if endpoints.redis is not None:
        facts.append(_redis(endpoints.redis, "store" if endpoints.mysql is None else "cache"))
    return facts


def read_durability(endpoints: LaneEndpoints, role: str) -> tuple[dict[str, Settings], str]:
    """Return the settings that decide how durable a write is on the server with `role`, as they are now.

    They are those of each node by its address; a database is a single node without one. The second value is the error
    of a node that could not be asked, whose settings count as `UNREADABLE`; "" if all nodes answered. Blocks. Raises
    one of the FAILURES of engines.backends.mysql.client and engines.backends.redis.client.
    """
    if role == DATABASE:
        assert endpoints.mysql is not None
        with mysql.cursor(endpoints.mysql) as cursor:
            return {"": _mysql_durability(cursor, endpoints.mysql.namespace.table)}, ""
    endpoint, problems = endpoints.redis, [""]
    assert endpoint is not None

    def read(address: str) -> Settings:
        try:
            # A node that is gone would seem to hide its settings.
            redis.open_socket(address, endpoint).close()
            return _redis_durability(address, endpoint)
        except redis.FAILURES as error:
            problems.append(error_text(error, endpoint.namespace))
            return dict.fromkeys(REDIS_SETTINGS, UNREADABLE)

    return _by_node(read, redis.nodes(endpoint)), problems[-1]


def round_trip_us(ping: Callable[[], object]) -> float | None:
    """Return the median of `PING_COUNT` pings in us, as seen by the client library; None if the user may not ping."""
    try:
        return round(median(time_pings_ns(ping, PING_COUNT)) / 1000, 1)
    except ResponseError:
        return None


def time_pings_ns(ping: Callable[[], object], count: int) -> list[int]:
    """Call `ping` `count` times and return the duration of each call in ns, in call order.

    Raises the errors of `ping`.
    """
    durations_ns = []
    for _ in range(count):
        started_ns = perf_counter_ns()
        ping()
        durations_ns.append(perf_counter_ns() - started_ns)
    return durations_ns


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
            role=DATABASE,
            product=facts.product,
            version=facts.version,
            nodes=1,
            tls=tls_mode(endpoint.tls),
            round_trip_us=round_trip_us(lambda: cursor.connection.ping(reconnect=False)),
            durability=_mysql_durability(cursor, endpoint.namespace.table),
            identity=_digest(mysql.identity(cursor)),
        )


def _mysql_durability(cursor: Cursor, table: str) -> dict[str, str | int]:
    variables = mysql.read_variables(cursor, VARIABLES)
    facts: dict[str, str | int] = {
        name: _plain_value(variables.get(name, UNREADABLE)) for name in VARIABLES
    }
    engine = mysql.read_table_engine(cursor, table)
    if engine != INNODB:
        facts[ENGINE] = UNREADABLE if engine is None else _plain_value(engine)
    if facts[LOG_BIN] == "ON":
        session = mysql.read_session_variables(cursor, (SQL_LOG_BIN,))
        facts[SQL_LOG_BIN] = _plain_value(session.get(SQL_LOG_BIN, UNREADABLE))
    shown = optional.rows(cursor, f"SHOW GLOBAL STATUS WHERE Variable_name IN {STATUS!r}")
    counts = {name.lower(): value for name, value in optional.numbers(shown).items()}
    facts["replicas"] = counts.get(STATUS[0].lower(), UNREADABLE)
    semi_sync = [counts.get(name.lower(), 0) for name in STATUS[1:]]
    facts["semi_sync_replicas"] = sum(semi_sync) if counts else UNREADABLE
    return facts


def _redis(endpoint: RedisEndpoint, role: str) -> ServerFacts:
    facts = redis.read_facts(endpoint)
    nodes = redis.nodes(endpoint)
    # Ping only the first node: all nodes are reached over the same network path.
    with redis.client(nodes[0], endpoint) as node:
        trip_us = round_trip_us(node.ping)
    by_node = _by_node(lambda address: _redis_durability(address, endpoint), nodes)
    return ServerFacts(
        role=role,
        product=facts.product,
        version=facts.version,
        nodes=len(nodes),
        tls=tls_mode(endpoint.tls),
        round_trip_us=trip_us,
        durability=settings_of_all(tuple(by_node.values())),
        identity=_digest(nodes),
        by_node=by_node,
    )


def _by_node(read: Callable[[str], Settings], nodes: Sequence[str]) -> dict[str, Settings]:
    return dict(zip(nodes, in_parallel(read, nodes, len(nodes)), strict=True))


def _redis_durability(address: str, endpoint: RedisEndpoint) -> dict[str, str | int]:
    with redis.client(address, endpoint) as node:
        facts: dict[str, str | int] = {
            name: _plain_value(setting(node, name) or UNREADABLE) for name in REDIS_SETTINGS
        }
        if facts["appendonly"] == "no":
            del facts["appendfsync"]  # there is no such file
        replicas = number(info(node, "replication"), "connected_slaves")
        facts["replicas"] = UNREADABLE if replicas is None else replicas
    return facts


def _digest(names: Sequence[str]) -> str:
    """Return a short hash of the names of a server: it distinguishes servers without revealing host names or paths."""
    return sha256("\0".join(names).encode()).hexdigest()[:16]


def _plain_value(value: object) -> str | int:
    """Return what a server says of a setting as a number or as a line of limited length."""
    number = foreign_number(value)
    return foreign_text(value) if number is None else number
