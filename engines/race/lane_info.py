"""Describe the lanes of a race by what their servers say."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engines.backends.mysql import client as mysql
from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.backends.server_facts import read_server_facts
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.errors import PreparationError, doctor_hint
from engines.model.lanes import LANES, LaneInfo
from engines.model.server_facts import ServerFacts

SESSION_NOTE = (
    "the server does not take telemon's session settings: isolation level, SQL mode and row limit are its own, and "
    "were not checked"
)
"""Note on a lane whose MySQL server takes autocommit and character set alone."""


def read_lane_servers(
    lanes: Mapping[str, LaneEndpoints], private: Collection[str]
) -> dict[str, list[ServerFacts]]:
    """Return by lane the facts of its servers for the fairness sheet.

    Lanes are read one after the other, so that pings do not disturb each other. It blocks. The lanes in `private` are
    on private servers. Raises PreparationError.
    """
    found = {}
    for lane, endpoints in lanes.items():
        try:
            found[lane] = read_server_facts(endpoints)
        except (*mysql.FAILURES, *redis.FAILURES) as error:
            raise PreparationError(
                f"lane {lane}: a server's settings cannot be read: {error_text(error, endpoints.namespace)}"
                f"{doctor_hint(lane in private)}"
            ) from error
    return found


def lane_infos(
    lanes: Mapping[str, LaneEndpoints], notes: tuple[str, ...], private: Collection[str]
) -> tuple[LaneInfo, ...]:
    """Return the description of each lane, with product, version and durability read from its servers.

    The lanes in `private` are on private servers; `notes` belong to them. It blocks. Raises PreparationError.
    """
    return tuple(
        _lane_info(endpoints, notes if lane in private else None, lane in private)
        for lane, endpoints in lanes.items()
    )


def _connection_note(product: str, at: MySQLEndpoint | RedisEndpoint) -> str:
    """Return how a server of the user is reached."""
    tls = "over TLS" if at.tls else "without TLS"
    tunnel = ", through a tunnel" if at.address_map else ""
    return f"{product} at {at.host}:{at.port} {tls}{tunnel}"


def _replica_note(endpoint: RedisEndpoint) -> str:
    """Return where reads go that the settings send to replicas: there need not be any. Raises one of redis.FAILURES."""
    replicas = {part.address: part.replicas for part in redis.slot_map(endpoint)}
    without = sum(not each for each in replicas.values())
    if without == len(replicas):
        return "reads are to go to replicas, but there are none: they go to the primaries"
    some = f"; {without} of {len(replicas)} primaries have none" if without else ""
    return f"reads go to replicas, which may be behind their primaries{some}"


def _lane_info(endpoints: LaneEndpoints, given: tuple[str, ...] | None, private: bool) -> LaneInfo:
    """Return the description of a lane with the notes `given`; None: with notes on how its servers are reached."""
    try:
        parts, notes = [], [*(given or ())]
        if endpoints.mysql is not None:
            part, takes_settings = _mysql_part(endpoints.mysql)
            parts.append(part)
            if given is None:
                notes.append(_connection_note(part[0], endpoints.mysql))
            if not takes_settings:
                notes.append(SESSION_NOTE)
        if endpoints.redis is not None:
            product, part = _redis_part(endpoints.redis, endpoints.mysql is not None, private)
            parts.append(part)
            if given is None:
                notes.append(_connection_note(product, endpoints.redis))
            if endpoints.redis.read_replicas:
                notes.append(_replica_note(endpoints.redis))
    except (*mysql.FAILURES, *redis.FAILURES) as error:
        raise PreparationError(
            f"lane {endpoints.lane}: {error_text(error, endpoints.namespace)}{doctor_hint(private)}"
        ) from error
    lane = LANES[endpoints.lane]
    return LaneInfo(
        lane=lane.id,
        title=lane.title,
        approach=lane.approach,
        product=" + ".join(product for product, _, _ in parts),
        version=" + ".join(version for _, version, _ in parts),
        # The system of record is the first part, and a cache does not change how durable the lane is.
        durability=parts[0][2],
        notes=tuple(notes),
    )


Part = tuple[str, str, str]
"""What is shown of one server of a lane: product and role, version, durability."""


def _mysql_part(endpoint: MySQLEndpoint) -> tuple[Part, bool]:
    """Return what is shown of a server, and whether sessions have telemon's settings."""
    with mysql.cursor(endpoint) as cursor:
        facts = mysql.read_facts(cursor)
    return (facts.product, facts.version, facts.durability), facts.takes_settings


def _redis_part(endpoint: RedisEndpoint, cache: bool, private: bool) -> tuple[str, Part]:
    """Return the product of a server, and what is shown of it."""
    facts = redis.read_facts(endpoint)
    shards = len(redis.nodes(endpoint))
    product = facts.product
    if endpoint.cluster:
        product = f"{facts.product} Cluster of {shards}"
    if private and not cache:
        product += ", stand-in for MemoryDB"
    if cache:
        product += " as a cache"
    return facts.product, (product, facts.version, facts.durability)
