"""Check what a race needs on a user's servers, and plan the changes that create it."""

from __future__ import annotations

from collections.abc import Mapping

from pymysql import MySQLError

from engines.backends.mysql import client as mysql
from engines.backends.mysql import schema
from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.backends.redis import marker
from engines.backends.redis.marker import ForeignKeyError
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.errors import DOCTOR_HINT, NotPreparedError, PlanError
from engines.provisioning.ownership import (
    foreign_key_note,
    foreign_table_note,
    refuse_if_racing_on_mysql,
    refuse_if_racing_on_redis,
    survey_race_keys,
)
from engines.provisioning.plan import Plan, PlannedChange
from engines.provisioning.seed import SEED_VERSION
from engines.provisioning.server_names import mysql_name, redis_name
from engines.workload.dataset import HOT_KEYS, TelemetryPool

PREPARE_HINT = "run `telemon prepare`"
"""Next step when something is missing."""

REQUIRED_PRIVILEGES = "CREATE, DROP, SELECT, INSERT, UPDATE"
"""Privileges that telemon uses in its database."""


def check(lanes: Mapping[str, LaneEndpoints]) -> None:
    """Check that a race can begin on `lanes`. Read only. Raises NotPreparedError."""
    for endpoints in lanes.values():
        problem = None
        try:
            if endpoints.mysql is not None:
                problem = _mysql_problem(endpoints.mysql)
            if problem is None and endpoints.redis is not None:
                problem = _redis_problem(endpoints.redis, cache=endpoints.mysql is not None)
        except (*mysql.FAILURES, *redis.FAILURES) as error:
            where = _server_names(endpoints)
            text = error_text(error, endpoints.namespace)
            raise NotPreparedError(
                f"lane {endpoints.lane}: {where}: {text}; {DOCTOR_HINT}"
            ) from error
        if problem is not None:
            raise NotPreparedError(f"lane {endpoints.lane}: {problem}")


def _mysql_problem(endpoint: MySQLEndpoint) -> str | None:
    name, table = mysql_name(endpoint), endpoint.namespace.table
    try:
        with mysql.cursor(endpoint) as cursor:
            comment = mysql.read_table_comment(cursor, table)
            if comment is None:
                return f"{name} has no table {table}; {PREPARE_HINT}"
            if comment != mysql.TABLE_COMMENT:
                return foreign_table_note(endpoint, comment)
            present = schema.count_hot_rows(cursor, table)
    except MySQLError as error:
        if schema.missing_database(error):
            return f"{name}: there is no database {endpoint.database}; {PREPARE_HINT}"
        raise
    return _missing_keys(name, present)


def _redis_problem(endpoint: RedisEndpoint, *, cache: bool) -> str | None:
    endpoint = redis.resolve_cluster_mode(endpoint)
    try:
        found = survey_race_keys(endpoint, cache=cache)
    except ForeignKeyError as error:
        return foreign_key_note(endpoint, error)
    return None if cache else _missing_keys(redis_name(endpoint), found.count_in(HOT_KEYS))


def _missing_keys(name: str, present: int) -> str | None:
    if present >= len(HOT_KEYS):
        return None
    return f"{name} holds {present:,} of the {len(HOT_KEYS):,} cars that readers ask for; {PREPARE_HINT}"


def plan(lanes: Mapping[str, LaneEndpoints], seed: int) -> Plan:
    """Return the changes that `telemon prepare` makes on `lanes`. Read only. Raises PlanError."""
    telemetry = TelemetryPool(seed)
    total = Plan()
    for endpoints in lanes.values():
        try:
            if endpoints.mysql is not None:
                total += _mysql_plan(endpoints.mysql, telemetry)
            if endpoints.redis is not None:
                total += _redis_plan(endpoints.redis, telemetry, cache=endpoints.mysql is not None)
        except (*mysql.FAILURES, *redis.FAILURES) as error:
            text = error_text(error, endpoints.namespace)
            raise PlanError(
                f"{_server_names(endpoints)}: {text}{_hint(endpoints, error)}"
            ) from error
    return total


def _mysql_plan(endpoint: MySQLEndpoint, telemetry: TelemetryPool) -> Plan:
    name, table, changes = mysql_name(endpoint), endpoint.namespace.table, []

    def make_database() -> str:
        schema.make_database(endpoint)
        return f"made database {endpoint.database}"

    def make_table() -> str:
        with mysql.cursor(endpoint) as cursor:
            mysql.make_table(cursor, table)
        return f"made table {table}"

    def fill() -> str:
        with mysql.cursor(endpoint) as cursor:
            refuse_if_racing_on_mysql(endpoint, cursor)
            mysql.seed(cursor, table, HOT_KEYS, telemetry, SEED_VERSION)
        return f"wrote {len(HOT_KEYS):,} rows"

    present: int | None = None
    try:
        with mysql.cursor(endpoint) as cursor:
            refuse_if_racing_on_mysql(endpoint, cursor)
            comment = mysql.read_table_comment(cursor, table)
            if comment is not None and comment != mysql.TABLE_COMMENT:
                raise PlanError(foreign_table_note(endpoint, comment))
            if comment is not None:
                present = schema.count_hot_rows(cursor, table)
    except MySQLError as error:
        if not schema.missing_database(error):
            raise
        changes.append(PlannedChange(name, f"make database {endpoint.database}", make_database))
    if present is None:
        changes.append(
            PlannedChange(
                name,
                f"make table {table}, with the comment {mysql.TABLE_COMMENT!r}",
                make_table,
            )
        )
    if present == len(HOT_KEYS):
        return Plan(unchanged=((name, f"prepared: table {table} holds all {present:,} hot cars"),))
    what = f"write {len(HOT_KEYS):,} rows into {table}: cars {HOT_KEYS.first} to {HOT_KEYS.last}"
    return Plan((*changes, PlannedChange(name, what, fill)))


def _redis_plan(endpoint: RedisEndpoint, telemetry: TelemetryPool, *, cache: bool) -> Plan:
    name, endpoint = redis_name(endpoint), redis.resolve_cluster_mode(endpoint)
    refuse_if_racing_on_redis(endpoint)
    try:
        present = survey_race_keys(endpoint, cache=cache).count_in(HOT_KEYS)
    except ForeignKeyError as error:
        raise PlanError(foreign_key_note(endpoint, error)) from error
    if cache:
        return Plan(unchanged=((name, "a cache: it fills itself while racing"),))

    def fill() -> str:
        refuse_if_racing_on_redis(endpoint)
        try:
            # The marker comes first: no key without it.
            marker.write(endpoint)
        except ForeignKeyError as error:
            raise PlanError(foreign_key_note(endpoint, error)) from error
        redis.seed(endpoint, HOT_KEYS, telemetry, SEED_VERSION)
        return f"set {len(HOT_KEYS):,} keys"

    if present == len(HOT_KEYS):
        return Plan(unchanged=((name, f"prepared: holds all {present:,} hot cars"),))
    prefix = endpoint.namespace.key_prefix.decode()
    what = f"set {len(HOT_KEYS):,} keys: {prefix}{HOT_KEYS.first} to {prefix}{HOT_KEYS.last}"
    return Plan((PlannedChange(name, what, fill),))


def _server_names(endpoints: LaneEndpoints) -> str:
    names = []
    if endpoints.mysql is not None:
        names.append(mysql_name(endpoints.mysql))
    if endpoints.redis is not None:
        names.append(redis_name(endpoints.redis))
    return " or ".join(names)


def _hint(endpoints: LaneEndpoints, error: Exception) -> str:
    mysql_endpoint = endpoints.mysql
    if (
        mysql_endpoint is not None
        and isinstance(error, MySQLError)
        and error.args[:1] == (schema.NO_ACCESS,)
    ):
        return (
            f"; let an administrator run: CREATE DATABASE IF NOT EXISTS `{mysql_endpoint.database}`; "
            f"GRANT {REQUIRED_PRIVILEGES} ON `{mysql_endpoint.database}`.* TO the user"
        )
    return f"; {DOCTOR_HINT}"
