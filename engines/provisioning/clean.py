"""Plan the removal of exactly what telemon created on a user's servers."""

from __future__ import annotations

from collections.abc import Mapping

from engines.backends.mysql import client as mysql
from engines.backends.mysql import schema
from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.backends.redis import marker, own_keys
from engines.backends.redis.marker import ForeignKeyError
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.endpoints.redaction import foreign_text
from engines.errors import DOCTOR_HINT, PlanError
from engines.provisioning.ownership import (
    foreign_key_note,
    refuse_if_racing_on_mysql,
    refuse_if_racing_on_redis,
)
from engines.provisioning.plan import Plan, PlannedChange
from engines.provisioning.server_names import mysql_name, redis_name


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
    name, table = mysql_name(endpoint), endpoint.namespace.table
    changes, unchanged = [], []

    def drop_table() -> str:
        with mysql.cursor(endpoint) as cursor:
            refuse_if_racing_on_mysql(endpoint, cursor)
            dropped = schema.drop_table(cursor, table)
        if not dropped:
            return f"table {table} is left alone: it is no longer telemon's"
        return f"removed table {table}"

    try:
        with mysql.cursor(endpoint) as cursor:
            refuse_if_racing_on_mysql(endpoint, cursor)
            comment = mysql.read_table_comment(cursor, table)
    except mysql.FAILURES as error:
        if schema.missing_database(error):
            return Plan(unchanged=((name, f"there is no database {endpoint.database}"),))
        raise PlanError(
            f"{name}: {error_text(error, endpoint.namespace)}; {DOCTOR_HINT}"
        ) from error
    if comment == mysql.TABLE_COMMENT:
        changes.append(
            PlannedChange(name, f"drop table {table} (its comment: {comment})", drop_table)
        )
    elif comment is not None:
        unchanged.append(
            (
                name,
                f"table {table}: not made by telemon (its comment is {foreign_text(comment)!r})",
            )
        )
    else:
        unchanged.append((name, f"there is no table {table}"))
    # Keep the database: a user with limited rights does not see the routines and events of others
    # in it.
    drop = f"DROP DATABASE {schema.quoted(endpoint.database)}"
    unchanged.append((name, f"database {endpoint.database} stays; if nobody else uses it: {drop}"))
    return Plan(tuple(changes), tuple(unchanged))


def _redis_plan(endpoint: RedisEndpoint) -> Plan:
    """Return the plan for the keys of cars and the marker. Who holds keys like telemon's keeps them."""
    name, prefix = redis_name(endpoint), endpoint.namespace.key_prefix.decode()

    def unlink() -> str:
        refuse_if_racing_on_redis(resolved)
        # Look again: what was telemon's may be somebody else's by now.
        removed = own_keys.delete_own_keys(resolved)
        try:
            # The marker goes last: no key without it.
            marker.remove(resolved)
        except ForeignKeyError as error:
            raise PlanError(foreign_key_note(resolved, error)) from error
        return f"removed {removed:,} keys"

    try:
        resolved = redis.resolve_cluster_mode(endpoint)
        refuse_if_racing_on_redis(resolved)
        made = marker.read(resolved)
        found = own_keys.scan(resolved)
    except ForeignKeyError as error:
        return Plan(unchanged=((name, f"{error}: nothing of this namespace is changed"),))
    except redis.FAILURES as error:
        raise PlanError(
            f"{name}: {error_text(error, endpoint.namespace)}; {DOCTOR_HINT}"
        ) from error
    unchanged = []
    if found.foreign_count:
        unchanged.append((name, f"{found.foreign_text}: not made by telemon"))
    if not found.own_count and made is None:
        return Plan(unchanged=(*unchanged, (name, "holds no key of telemon's")))
    whose = f" (of {made.text})" if made is not None else ""
    what = f"remove {found.own_count:,} keys {prefix}...{whose}"
    return Plan((PlannedChange(name, what, unlink),), tuple(unchanged))
