"""Plan the removal of exactly what telemon created on a user's servers."""

from __future__ import annotations

from collections.abc import Mapping

from engines.backends.mysql import client as mysql
from engines.backends.mysql import schema
from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.endpoints.redaction import foreign_text
from engines.errors import DOCTOR_HINT, PlanError
from engines.provisioning.plan import Plan, PlannedChange
from engines.provisioning.prepare import mysql_name, redis_name
from engines.workload.redis_keys import KEY_PREFIX


def plan(lanes: Mapping[str, LaneEndpoints]) -> Plan:
    """Return the changes that `telemon clean` makes on `lanes`. Read only. Raises PlanError."""
    total = Plan()
    for endpoints in lanes.values():
        if endpoints.mysql is not None:
            total += _mysql_plan(endpoints.mysql)
        if endpoints.redis is not None:
            total += _redis_plan(endpoints.redis)
    return total


def _mysql_plan(endpoint: MySQLEndpoint) -> Plan:
    name = mysql_name(endpoint)
    changes, unchanged = [], []

    def drop_table() -> str:
        with mysql.cursor(endpoint) as cursor:
            dropped = schema.drop_table(cursor)
        if not dropped:
            return f"table {mysql.TABLE} is left alone: it is no longer telemon's"
        return f"removed table {mysql.TABLE}"

    try:
        with mysql.cursor(endpoint) as cursor:
            comment = mysql.read_table_comment(cursor)
    except mysql.FAILURES as error:
        if schema.missing_database(error):
            return Plan(unchanged=((name, f"there is no database {endpoint.database}"),))
        raise PlanError(f"{name}: {error_text(error)}; {DOCTOR_HINT}") from error
    if comment == mysql.TABLE_COMMENT:
        changes.append(
            PlannedChange(name, f"drop table {mysql.TABLE} (its comment: {comment})", drop_table)
        )
    elif comment is not None:
        unchanged.append(
            (
                name,
                f"table {mysql.TABLE}: not made by telemon (its comment is {foreign_text(comment)!r})",
            )
        )
    else:
        unchanged.append((name, f"there is no table {mysql.TABLE}"))
    # Keep the database: a user with limited rights does not see the routines and events of others
    # in it.
    drop = f"DROP DATABASE {schema.quoted(endpoint.database)}"
    unchanged.append((name, f"database {endpoint.database} stays; if nobody else uses it: {drop}"))
    return Plan(tuple(changes), tuple(unchanged))


def _redis_plan(endpoint: RedisEndpoint) -> Plan:
    name = redis_name(endpoint)

    def unlink() -> str:
        return f"removed {redis.delete_own_keys(redis.resolve_cluster_mode(endpoint)):,} keys"

    try:
        key_count = _count_own_keys(redis.resolve_cluster_mode(endpoint))
    except redis.FAILURES as error:
        raise PlanError(f"{name}: {error_text(error)}; {DOCTOR_HINT}") from error
    if not key_count:
        return Plan(unchanged=((name, "holds no key of telemon's"),))
    return Plan(
        (PlannedChange(name, f"remove {key_count:,} keys {KEY_PREFIX.decode()}...", unlink),)
    )


def _count_own_keys(endpoint: RedisEndpoint) -> int:
    """Return the number of telemon's keys on all nodes. Raises one of redis.FAILURES."""
    key_count = 0
    for address in redis.nodes(endpoint):
        with redis.client(address, endpoint) as node:
            key_count += len(set(redis.own_keys(node)))
    return key_count
