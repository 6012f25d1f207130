"""Find lanes that conflict on a server of the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

from engines.backends.mysql import client as mysql
from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import DOCTOR_HINT, PreparationError
from engines.model.caveats import SharedServer


def resolve_cluster_modes(lanes: Mapping[str, LaneEndpoints]) -> dict[str, LaneEndpoints]:
    """Return `lanes` with `cluster` set to what each Redis server says of itself.

    It blocks while the servers answer. Raises PreparationError if a server does not answer, or if the Redis servers of
    the lanes cached and durable share a node.
    """
    made = {}
    for lane, endpoints in lanes.items():
        if endpoints.redis is not None:
            at = endpoints.redis
            try:
                endpoints = replace(endpoints, redis=redis.resolve_cluster_mode(at))
            except redis.FAILURES as error:
                text = error_text(error, at.namespace)
                raise PreparationError(
                    f"lane {lane}: Redis at {at.host}:{at.port}: {text}; {DOCTOR_HINT}"
                ) from error
        made[lane] = endpoints
    cache, cluster = (made[lane].redis if lane in made else None for lane in ("cached", "durable"))
    if cache is not None and cluster is not None:
        try:
            both = {*redis.nodes(cache)} & {*redis.nodes(cluster)}
        except redis.FAILURES as error:
            raise PreparationError(
                f"lanes cached and durable: {error_text(error, cache.namespace)}; {DOCTOR_HINT}"
            ) from error
        if both:
            raise PreparationError(
                f"lanes cached and durable: both are on {min(both)}; one server cannot be the cache of one lane and "
                "the system of record of another"
            )
    return made


def shared_mysql_servers(lanes: Mapping[str, LaneEndpoints]) -> list[SharedServer]:
    """Return the MySQL servers that two lanes share. Raises PreparationError if they share a table too."""
    identities = {}
    for lane, endpoints in lanes.items():
        server = endpoints.mysql
        if server is not None:
            try:
                # Whether there is such a database is for others to say.
                with mysql.cursor(replace(server, database="")) as cursor:
                    identities[lane] = mysql.identity(cursor)
            except mysql.FAILURES as error:
                text = error_text(error, server.namespace)
                raise PreparationError(
                    f"lane {lane}: MySQL at {server.host}:{server.port}: {text}; {DOCTOR_HINT}"
                ) from error
    found = []
    for one, two in combinations(identities, 2):
        if identities[one] != identities[two]:
            continue
        databases = {at.database for lane in (one, two) if (at := lanes[lane].mysql) is not None}
        if len(databases) == 1:
            raise PreparationError(
                f"lanes {one} and {two}: both would write table {lanes[one].namespace.table} of database "
                f"{databases.pop()} on one server; name another database in one of them"
            )
        found.append(SharedServer((one, two), "MySQL"))
    return found
