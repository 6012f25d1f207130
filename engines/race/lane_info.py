"""Getting the servers of a race ready, and saying what they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations

from engines.backends.mysql import client as mysql
from engines.backends.mysql.client import said
from engines.backends.redis import client as redis
from engines.backends.server_facts import sheet
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.metrics.frame import Entrant
from engines.results.fairness import Server
from engines.workload.dataset import HOT, Readings

SEED_VERSION = 1
"""The version of the rows that preparing makes; the writers' versions begin above it."""

TITLES = {"mysql": "MySQL", "cached": "MySQL + cache", "durable": "Durable Redis"}

APPROACHES = {
    "mysql": "write to MySQL, read from MySQL",
    "cached": "write to MySQL, read through a lazy Redis cache",
    "durable": "a durable Redis Cluster is the system of record",
}


DOCTOR = "`telemon doctor` says why"
"""The next step after a server of one's own could not be used."""


def advice(private: bool) -> str:
    """What is said after a failure of a server; nothing where the server is telemon's own."""
    return "" if private else f"; {DOCTOR}"


class PreparationError(Exception):
    """A server could not be made ready; the message says which and why, in one line."""


def prepare(lanes: Mapping[str, LaneEndpoints], seed: int) -> None:
    """Make the tables and the hot cars, in every lane at once.

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
        except mysql.FAILURES as error:
            raise PreparationError(
                f"lane {endpoints.lane}: MySQL at {server.host}:{server.port}: {said(error)}"
            ) from error
    nodes = endpoints.redis
    if nodes is not None and server is None:
        try:
            redis.seed(nodes, HOT, readings, SEED_VERSION)
        except redis.FAILURES as error:
            raise PreparationError(
                f"lane {endpoints.lane}: Redis at {nodes.host}:{nodes.port}: {said(error)}"
            ) from error


def settled(lanes: Mapping[str, LaneEndpoints]) -> dict[str, LaneEndpoints]:
    """`lanes` on servers of one's own, with what was left to the servers as they have it.

    Raises PreparationError, also when two lanes would write to one place.
    """
    made = {}
    for lane, endpoints in lanes.items():
        if endpoints.redis is not None:
            at = endpoints.redis
            try:
                endpoints = replace(endpoints, redis=redis.settled(at))
            except redis.FAILURES as error:
                raise PreparationError(
                    f"lane {lane}: Redis at {at.host}:{at.port}: {said(error)}; {DOCTOR}"
                ) from error
        made[lane] = endpoints
    cache, cluster = (made[lane].redis if lane in made else None for lane in ("cached", "durable"))
    if cache is not None and cluster is not None:
        try:
            both = {*redis.nodes(cache)} & {*redis.nodes(cluster)}
        except redis.FAILURES as error:
            raise PreparationError(f"lanes cached and durable: {said(error)}; {DOCTOR}") from error
        if both:
            raise PreparationError(
                f"lanes cached and durable: both are on {min(both)}; one server cannot be the cache of one lane and "
                "the system of record of another"
            )
    return made


def shared(lanes: Mapping[str, LaneEndpoints]) -> list[str]:
    """What is to be said of MySQL servers that two lanes share. Raises PreparationError when they share a table."""
    identities = {}
    for lane, endpoints in lanes.items():
        server = endpoints.mysql
        if server is not None:
            try:
                with mysql.session(server) as cursor:
                    identities[lane] = mysql.identity(cursor)
            except mysql.FAILURES as error:
                raise PreparationError(
                    f"lane {lane}: MySQL at {server.host}:{server.port}: {said(error)}; {DOCTOR}"
                ) from error
    notes = []
    for one, two in combinations(identities, 2):
        if identities[one] != identities[two]:
            continue
        databases = {at.database for lane in (one, two) if (at := lanes[lane].mysql) is not None}
        if len(databases) == 1:
            raise PreparationError(
                f"lanes {one} and {two}: both would write table {mysql.TABLE} of database {databases.pop()} on one "
                "server; name another database in one of them"
            )
        notes.append(f"lanes {one} and {two} share one MySQL server: each slows the other down")
    return notes


def read_sheets(
    lanes: Mapping[str, LaneEndpoints], private: Collection[str]
) -> dict[str, list[Server]]:
    """What the servers of each lane say for the fairness sheet, of one lane after the other, so that the pings of one
    do not disturb those of another.

    The lanes in `private` are on servers of telemon's own. Raises PreparationError.
    """
    found = {}
    for lane, endpoints in lanes.items():
        try:
            found[lane] = sheet(endpoints)
        except (*mysql.FAILURES, *redis.FAILURES) as error:
            raise PreparationError(
                f"lane {lane}: a server's settings cannot be read: {said(error)}{advice(lane in private)}"
            ) from error
    return found


def entrants(
    lanes: Mapping[str, LaneEndpoints], notes: tuple[str, ...], private: Collection[str]
) -> tuple[Entrant, ...]:
    """Each lane with what its servers say of themselves.

    The lanes in `private` are on servers of telemon's own, beside which `notes` are said. Raises PreparationError.
    """
    return tuple(
        _entrant(endpoints, notes if lane in private else _ways(endpoints), lane in private)
        for lane, endpoints in lanes.items()
    )


def _ways(endpoints: LaneEndpoints) -> tuple[str, ...]:
    """How a lane's own servers are reached."""
    notes = []
    for name, at in (("MySQL", endpoints.mysql), ("Redis", endpoints.redis)):
        if at is not None:
            tls = "over TLS" if at.tls else "without TLS"
            tunnel = ", through a tunnel" if at.address_map else ""
            notes.append(f"{name} at {at.host}:{at.port} {tls}{tunnel}")
    if endpoints.redis is not None and endpoints.redis.read_replicas:
        notes.append("reads go to replicas, which may be behind their primaries")
    return tuple(notes)


def _entrant(endpoints: LaneEndpoints, notes: tuple[str, ...], private: bool) -> Entrant:
    try:
        parts = []
        if endpoints.mysql is not None:
            parts.append(_mysql_part(endpoints.mysql))
        if endpoints.redis is not None:
            parts.append(_redis_part(endpoints.redis, endpoints.mysql is not None, private))
    except (*mysql.FAILURES, *redis.FAILURES) as error:
        raise PreparationError(f"lane {endpoints.lane}: {said(error)}{advice(private)}") from error
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


def _redis_part(endpoint: RedisEndpoint, cache: bool, private: bool) -> tuple[str, str, str]:
    facts = redis.facts(endpoint)
    shards = len(redis.nodes(endpoint))
    product = facts.product
    if endpoint.cluster:
        product = f"{facts.product} Cluster of {shards}"
    if private and not cache:
        product += ", stand-in for MemoryDB"
    if cache:
        product += " as a cache"
    return product, facts.version, facts.durability
