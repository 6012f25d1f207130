"""Check what a race needs on a user's servers, and plan the changes that create it."""

from __future__ import annotations

from collections.abc import Mapping

from pymysql import MySQLError

from engines.backends.mysql import client as mysql
from engines.backends.mysql import schema
from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.errors import DOCTOR_HINT, NotPreparedError, PlanError
from engines.provisioning.plan import Plan, PlannedChange
from engines.provisioning.seed import SEED_VERSION
from engines.wire.resp import key_slot
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.redis_keys import KEY_PREFIX, redis_key

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
            elif endpoints.redis is not None:
                problem = _missing_keys(redis_name(endpoints.redis), hot_keys(endpoints.redis))
        except (*mysql.FAILURES, *redis.FAILURES) as error:
            where = _server_names(endpoints)
            raise NotPreparedError(
                f"lane {endpoints.lane}: {where}: {error_text(error)}; {DOCTOR_HINT}"
            ) from error
        if problem is not None:
            raise NotPreparedError(f"lane {endpoints.lane}: {problem}")


def _mysql_problem(endpoint: MySQLEndpoint) -> str | None:
    name = mysql_name(endpoint)
    try:
        with mysql.cursor(endpoint) as cursor:
            comment = mysql.read_table_comment(cursor)
            if comment is None:
                return f"{name} has no table {mysql.TABLE}; {PREPARE_HINT}"
            if comment != mysql.TABLE_COMMENT:
                return foreign_table_note(endpoint, comment)
            present = schema.count_hot_rows(cursor)
    except MySQLError as error:
        if schema.missing_database(error):
            return f"{name}: there is no database {endpoint.database}; {PREPARE_HINT}"
        raise
    return _missing_keys(name, present)


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
            raise PlanError(
                f"{_server_names(endpoints)}: {error_text(error)}{_hint(endpoints, error)}"
            ) from error
    return total


def _mysql_plan(endpoint: MySQLEndpoint, telemetry: TelemetryPool) -> Plan:
    name, changes = mysql_name(endpoint), []

    def make_database() -> str:
        schema.make_database(endpoint)
        return f"made database {endpoint.database}"

    def make_table() -> str:
        with mysql.cursor(endpoint) as cursor:
            mysql.make_table(cursor)
        return f"made table {mysql.TABLE}"

    def fill() -> str:
        with mysql.cursor(endpoint) as cursor:
            mysql.seed(cursor, HOT_KEYS, telemetry, SEED_VERSION)
        return f"wrote {len(HOT_KEYS):,} rows"

    present: int | None = None
    try:
        with mysql.cursor(endpoint) as cursor:
            comment = mysql.read_table_comment(cursor)
            if comment is not None and comment != mysql.TABLE_COMMENT:
                raise PlanError(foreign_table_note(endpoint, comment))
            if comment is not None:
                present = schema.count_hot_rows(cursor)
    except MySQLError as error:
        if not schema.missing_database(error):
            raise
        changes.append(PlannedChange(name, f"make database {endpoint.database}", make_database))
    if present is None:
        changes.append(
            PlannedChange(
                name,
                f"make table {mysql.TABLE}, with the comment {mysql.TABLE_COMMENT!r}",
                make_table,
            )
        )
    if present == len(HOT_KEYS):
        return Plan(
            unchanged=((name, f"prepared: table {mysql.TABLE} holds all {present:,} hot cars"),)
        )
    what = (
        f"write {len(HOT_KEYS):,} rows into {mysql.TABLE}: cars {HOT_KEYS.first} to {HOT_KEYS.last}"
    )
    return Plan((*changes, PlannedChange(name, what, fill)))


def _redis_plan(endpoint: RedisEndpoint, telemetry: TelemetryPool, *, cache: bool) -> Plan:
    name = redis_name(endpoint)
    if cache:
        return Plan(unchanged=((name, "a cache: it fills itself while racing"),))

    def fill() -> str:
        redis.seed(endpoint, HOT_KEYS, telemetry, SEED_VERSION)
        return f"set {len(HOT_KEYS):,} keys"

    present = hot_keys(endpoint)
    if present == len(HOT_KEYS):
        return Plan(unchanged=((name, f"prepared: holds all {present:,} hot cars"),))
    prefix = KEY_PREFIX.decode()
    what = f"set {len(HOT_KEYS):,} keys: {prefix}{HOT_KEYS.first} to {prefix}{HOT_KEYS.last}"
    return Plan((PlannedChange(name, what, fill),))


def hot_keys(endpoint: RedisEndpoint) -> int:
    """Return how many of the hot keys exist. Raises one of redis.FAILURES."""
    ranges = redis.slot_map(redis.resolve_cluster_mode(endpoint))
    keys_by_address: dict[str, list[bytes]] = {}
    for car_id in range(HOT_KEYS.first, HOT_KEYS.last + 1):
        key = redis_key(car_id)
        owner = redis.slot_owner(ranges, key_slot(key))
        if owner is not None:
            keys_by_address.setdefault(owner, []).append(key)
    present = 0
    for address, wanted in keys_by_address.items():
        with (
            redis.client(address, endpoint) as node,
            node.pipeline(transaction=False) as pipeline,
        ):
            for name in wanted:
                pipeline.get(name)
            present += sum(value is not None for value in pipeline.execute())
    return present


def mysql_name(endpoint: MySQLEndpoint) -> str:
    """Return the text that names a MySQL server and its database in messages."""
    return f"MySQL {endpoint.host}:{endpoint.port}/{endpoint.database}"


def redis_name(endpoint: RedisEndpoint) -> str:
    """Return the text that names a Redis server in messages."""
    return f"Redis {endpoint.host}:{endpoint.port}"


def foreign_table_note(endpoint: MySQLEndpoint, comment: str) -> str:
    """Return the message about a table that telemon did not create."""
    whose = f"{mysql_name(endpoint)}: table {mysql.TABLE} {mysql.foreign_table_text(comment)}"
    return f"{whose} and is left alone; name another database"


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
