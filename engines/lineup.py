"""Getting the servers of a race ready, and saying what they are."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from pymysql import MySQLError
from redis import RedisError

from engines.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.frame import Entrant
from engines.servers import mysql, redis
from engines.workload import HOT, Readings

SEED_VERSION = 1
"""The version of the rows that preparing makes; the writers' versions begin above it."""

TITLES = {"mysql": "MySQL", "cached": "MySQL + cache", "durable": "Durable Redis"}

APPROACHES = {
    "mysql": "write to MySQL, read from MySQL",
    "cached": "write to MySQL, read through a lazy Redis cache",
    "durable": "a durable Redis Cluster is the system of record",
}


class PreparationError(Exception):
    """A server could not be made ready; the message says which and why, in one line."""


def prepare(lanes: Mapping[str, LaneEndpoints], seed: int) -> None:
    """Make the tables and the hot cars, in every lane at once. The cache starts cold.

    Raises PreparationError.
    """
    readings = Readings(seed)
    with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
        for done in [pool.submit(_prepare, endpoints, readings) for endpoints in lanes.values()]:
            done.result()


def _prepare(endpoints: LaneEndpoints, readings: Readings) -> None:
    server = endpoints.mysql
    if server is not None:
        try:
            with mysql.session(server) as cursor:
                mysql.make_table(cursor)
                mysql.seed(cursor, HOT, readings, SEED_VERSION)
        except mysql.ForeignTableError as error:
            raise PreparationError(f"lane {endpoints.lane}: {error}") from error
        except (MySQLError, OSError) as error:
            raise PreparationError(
                f"lane {endpoints.lane}: MySQL at {server.host}:{server.port}: {_said(error)}"
            ) from error
    nodes = endpoints.redis
    if nodes is not None and server is None:
        try:
            redis.seed(nodes, HOT, readings, SEED_VERSION)
        except (RedisError, OSError) as error:
            raise PreparationError(
                f"lane {endpoints.lane}: Redis at {nodes.host}:{nodes.port}: {_said(error)}"
            ) from error


def _said(error: Exception) -> str:
    """What a client library says of an error, in one line."""
    text = error.args[1] if isinstance(error, MySQLError) and len(error.args) > 1 else error
    return " ".join(str(text).split())


def entrants(lanes: Mapping[str, LaneEndpoints], notes: tuple[str, ...]) -> tuple[Entrant, ...]:
    """Each lane with what its servers say of themselves, as private servers on this machine.

    `notes` are said beside every lane. Raises PreparationError.
    """
    return tuple(_entrant(endpoints, notes) for endpoints in lanes.values())


def _entrant(endpoints: LaneEndpoints, notes: tuple[str, ...]) -> Entrant:
    try:
        parts = []
        if endpoints.mysql is not None:
            parts.append(_mysql_part(endpoints.mysql))
        if endpoints.redis is not None:
            parts.append(_redis_part(endpoints.redis, cache=endpoints.mysql is not None))
    except (MySQLError, RedisError, OSError) as error:
        raise PreparationError(f"lane {endpoints.lane}: {_said(error)}") from error
    return Entrant(
        lane=endpoints.lane,
        title=TITLES[endpoints.lane],
        approach=APPROACHES[endpoints.lane],
        product=" + ".join(product for product, _, _ in parts),
        version=" + ".join(version for _, version, _ in parts),
        # A cache is no place of record: how durable the lane is, its first part says.
        durability=parts[0][2],
        notes=notes,
    )


def _mysql_part(endpoint: MySQLEndpoint) -> tuple[str, str, str]:
    with mysql.session(endpoint) as cursor:
        facts = mysql.facts(cursor)
    return facts.product, facts.version, facts.durability


def _redis_part(endpoint: RedisEndpoint, *, cache: bool) -> tuple[str, str, str]:
    facts = redis.facts(endpoint)
    if cache:
        return f"{facts.product} as a cache", facts.version, facts.durability
    shards = len(redis.nodes(endpoint))
    product = f"{facts.product} Cluster of {shards}, stand-in for MemoryDB"
    return product, facts.version, facts.durability
