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
        _lane_info(
            endpoints, notes if lane in private else _connection_notes(endpoints), lane in private
        )
        for lane, endpoints in lanes.items()
    )


def _connection_notes(endpoints: LaneEndpoints) -> tuple[str, ...]:
    """Return notes on how the user's servers of a lane are reached."""
    notes = []
    for name, at in (("MySQL", endpoints.mysql), ("Redis", endpoints.redis)):
        if at is not None:
            tls = "over TLS" if at.tls else "without TLS"
            tunnel = ", through a tunnel" if at.address_map else ""
            notes.append(f"{name} at {at.host}:{at.port} {tls}{tunnel}")
    return tuple(notes)


def _replica_note(endpoint: RedisEndpoint) -> str:
    """Return where reads go that the settings send to replicas: there need not be any. Raises one of redis.FAILURES."""
    replicas = {part.address: part.replicas for part in redis.slot_map(endpoint)}
    without = sum(not each for each in replicas.values())
    if without == len(replicas):
        return "reads are to go to replicas, but there are none: they go to the primaries"
    some = f"; {without} of {len(replicas)} primaries have none" if without else ""
    return f"reads go to replicas, which may be behind their primaries{some}"


def _lane_info(endpoints: LaneEndpoints, notes: tuple[str, ...], private: bool) -> LaneInfo:
    try:
        parts = []
        if endpoints.mysql is not None:
            part, takes_settings = _mysql_part(endpoints.mysql)
            parts.append(part)
            if not takes_settings:
                notes = (*notes, SESSION_NOTE)
        if endpoints.redis is not None:
            parts.append(_redis_part(endpoints.redis, endpoints.mysql is not None, private))
            if endpoints.redis.read_replicas:
                notes = (*notes, _replica_note(endpoints.redis))
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
        notes=notes,
    )


def _mysql_part(endpoint: MySQLEndpoint) -> tuple[tuple[str, str, str], bool]:
    """Return product, version and durability, and whether sessions have telemon's settings."""
    with mysql.cursor(endpoint) as cursor:
        facts = mysql.read_facts(cursor)
    return (facts.product, facts.version, facts.durability), facts.takes_settings


def _redis_part(endpoint: RedisEndpoint, cache: bool, private: bool) -> tuple[str, str, str]:
    facts = redis.read_facts(endpoint)
    shards = len(redis.nodes(endpoint))
    product = facts.product
    if endpoint.cluster:
        product = f"{facts.product} Cluster of {shards}"
    if private and not cache:
        product += ", stand-in for MemoryDB"
    if cache:
        product += " as a cache"
    return product, facts.version, facts.durability
