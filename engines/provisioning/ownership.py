"""Whose is it? What telemon does not write to and does not remove on a user's servers."""

from __future__ import annotations

from pymysql.cursors import Cursor

from engines.backends.mysql import client as mysql
from engines.backends.mysql import lease as mysql_lease
from engines.backends.redis import lease as redis_lease
from engines.backends.redis import marker
from engines.backends.redis.marker import ForeignKeyError
from engines.backends.redis.own_keys import KeySurvey, survey
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint
from engines.errors import PlanError
from engines.provisioning.leases import racing_text
from engines.provisioning.server_names import mysql_name, redis_name
from engines.workload.dataset import CACHED_KEYS, STORED_KEYS


def survey_race_keys(endpoint: RedisEndpoint, *, cache: bool) -> KeySurvey:
    """Ask for the keys that a race would write, each by its name, and for no other. Blocks.

    Raises ForeignKeyError if one of them, or the marker, is somebody else's. Raises one of redis.FAILURES.
    """
    marker.read(endpoint)
    found = survey(endpoint, CACHED_KEYS if cache else STORED_KEYS)
    if found.foreign_count:
        were = "was" if found.foreign_count == 1 else "were"
        raise ForeignKeyError(f"{found.foreign_text} {were} not made by telemon")
    return found


def foreign_key_note(endpoint: RedisEndpoint, error: ForeignKeyError) -> str:
    """Return the message about a key that telemon did not write."""
    return (
        f"{redis_name(endpoint)}: {error}; telemon changes no such key: {endpoint.namespace.advice}"
    )


def foreign_table_note(endpoint: MySQLEndpoint, comment: str) -> str:
    """Return the message about a table that telemon did not create."""
    table = endpoint.namespace.table
    whose = f"{mysql_name(endpoint)}: table {table} {mysql.foreign_table_text(comment)}"
    return f"{whose} and is left alone; name another database, or {endpoint.namespace.advice}"


def refuse_if_racing_on_mysql(endpoint: MySQLEndpoint, cursor: Cursor) -> None:
    """Raise PlanError if a telemon races on the table. Raises one of mysql.FAILURES."""
    holder = mysql_lease.holder(cursor, endpoint)
    if holder is not None:
        raise PlanError(f"{mysql_name(endpoint)}: {racing_text(holder, endpoint.namespace)}")


def refuse_if_racing_on_redis(endpoint: RedisEndpoint) -> None:
    """Raise PlanError if a telemon races in the namespace, or if the lease's key is somebody else's.

    Raises one of redis.FAILURES.
    """
    try:
        holder = redis_lease.holder(endpoint)
    except ForeignKeyError as error:
        raise PlanError(foreign_key_note(endpoint, error)) from error
    if holder is not None:
        raise PlanError(f"{redis_name(endpoint)}: {racing_text(holder, endpoint.namespace)}")
