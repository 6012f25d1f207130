"""Check that servers of the user are prepared for a race, and plan what prepares them."""

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

PREPARE = "run `telemon prepare`"

RIGHTS = "CREATE, DROP, SELECT, INSERT, UPDATE"
"""The rights that telemon needs in its database. The advice of `telemon prepare` grants exactly these."""


def check(lanes: Mapping[str, LaneEndpoints]) -> None:
    """Return if a race can begin on `lanes`.

    It only reads from the servers, and blocks while they answer. Raises NotPreparedError.
    """
    for endpoints in lanes.values():
        missing = None
        try:
            if endpoints.mysql is not None:
                missing = _missing_from_mysql(endpoints.mysql)
            elif endpoints.redis is not None:
                missing = _missing(redis_name(endpoints.redis), hot_keys(endpoints.redis))
        except (*mysql.FAILURES, *redis.FAILURES) as error:
            where = _where(endpoints)
            raise NotPreparedError(
                f"lane {endpoints.lane}: {where}: {error_text(error)}; {DOCTOR_HINT}"
            ) from error
        if missing is not None:
            raise NotPreparedError(f"lane {endpoints.lane}: {missing}")


def _missing_from_mysql(endpoint: MySQLEndpoint) -> str | None:
    name = mysql_name(endpoint)
    try:
        with mysql.cursor(endpoint) as cursor:
            comment = mysql.comment(cursor)
            if comment is None:
                return f"{name} has no table {mysql.TABLE}; {PREPARE}"
            if comment != mysql.TABLE_COMMENT:
                return foreign_table_note(endpoint, comment)
            held = schema.count_hot_rows(cursor)
    except MySQLError as error:
        if schema.missing_database(error):
            return f"{name}: there is no database {endpoint.database}; {PREPARE}"
        raise
    return _missing(name, held)


def _missing(name: str, held: int) -> str | None:
    if held >= len(HOT_KEYS):
        return None
    return f"{name} holds {held:,} of the {len(HOT_KEYS):,} cars that readers ask for; {PREPARE}"


def plan(lanes: Mapping[str, LaneEndpoints], seed: int) -> Plan:
    """Return what `telemon prepare` would do on `lanes`.

    It only reads from the servers, and blocks while they answer. Raises PlanError.
    """
    readings = TelemetryPool(seed)
    whole = Plan()
    for endpoints in lanes.values():
        try:
            if endpoints.mysql is not None:
                whole += _mysql_plan(endpoints.mysql, readings)
            if endpoints.redis is not None:
                whole += _redis_plan(endpoints.redis, readings, cache=endpoints.mysql is not None)
        except (*mysql.FAILURES, *redis.FAILURES) as error:
            raise PlanError(
                f"{_where(endpoints)}: {error_text(error)}{_next_step(endpoints, error)}"
            ) from error
    return whole


def _mysql_plan(endpoint: MySQLEndpoint, readings: TelemetryPool) -> Plan:
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
            mysql.seed(cursor, HOT_KEYS, readings, SEED_VERSION)
        return f"wrote {len(HOT_KEYS):,} rows"

    held: int | None = None
    try:
        with mysql.cursor(endpoint) as cursor:
            comment = mysql.comment(cursor)
            if comment is not None and comment != mysql.TABLE_COMMENT:
                raise PlanError(foreign_table_note(endpoint, comment))
            if comment is not None:
                held = schema.count_hot_rows(cursor)
    except MySQLError as error:
        if not schema.missing_database(error):
            raise
        changes.append(PlannedChange(name, f"make database {endpoint.database}", make_database))
    if held is None:
        changes.append(
            PlannedChange(
                name,
                f"make table {mysql.TABLE}, with the comment {mysql.TABLE_COMMENT!r}",
                make_table,
            )
        )
    if held == len(HOT_KEYS):
        return Plan(
            unchanged=((name, f"prepared: table {mysql.TABLE} holds all {held:,} hot cars"),)
        )
    what = (
        f"write {len(HOT_KEYS):,} rows into {mysql.TABLE}: cars {HOT_KEYS.first} to {HOT_KEYS.last}"
    )
    return Plan((*changes, PlannedChange(name, what, fill)))


def _redis_plan(endpoint: RedisEndpoint, readings: TelemetryPool, *, cache: bool) -> Plan:
    name = redis_name(endpoint)
    if cache:
        return Plan(unchanged=((name, "a cache: it fills itself while racing"),))

    def fill() -> str:
        redis.seed(endpoint, HOT_KEYS, readings, SEED_VERSION)
        return f"set {len(HOT_KEYS):,} keys"

    held = hot_keys(endpoint)
    if held == len(HOT_KEYS):
        return Plan(unchanged=((name, f"prepared: holds all {held:,} hot cars"),))
    prefix = KEY_PREFIX.decode()
    what = f"set {len(HOT_KEYS):,} keys: {prefix}{HOT_KEYS.first} to {prefix}{HOT_KEYS.last}"
    return Plan((PlannedChange(name, what, fill),))


def hot_keys(endpoint: RedisEndpoint) -> int:
    """Return how many of the hot keys exist. Raises one of redis.FAILURES."""
    ranges = redis.slot_map(redis.resolve_cluster_mode(endpoint))
    names: dict[str, list[bytes]] = {}
    for car_id in range(HOT_KEYS.first, HOT_KEYS.last + 1):
        slot = key_slot(redis_key(car_id))
        for part in ranges:
            if part.first <= slot <= part.last:
                names.setdefault(part.address, []).append(redis_key(car_id))
    held = 0
    for address, wanted in names.items():
        with (
            redis.client(address, endpoint) as node,
            node.pipeline(transaction=False) as pipeline,
        ):
            for name in wanted:
                pipeline.get(name)
            held += sum(value is not None for value in pipeline.execute())
    return held


def mysql_name(endpoint: MySQLEndpoint) -> str:
    return f"MySQL {endpoint.host}:{endpoint.port}/{endpoint.database}"


def redis_name(endpoint: RedisEndpoint) -> str:
    return f"Redis {endpoint.host}:{endpoint.port}"


def foreign_table_note(endpoint: MySQLEndpoint, comment: str) -> str:
    """Return the message for a table that telemon did not make. `comment` is the table's comment."""
    whose = f"{mysql_name(endpoint)}: table {mysql.TABLE} {mysql.not_ours(comment)}"
    return f"{whose} and is left alone; name another database"


def _where(endpoints: LaneEndpoints) -> str:
    names = []
    if endpoints.mysql is not None:
        names.append(mysql_name(endpoints.mysql))
    if endpoints.redis is not None:
        names.append(redis_name(endpoints.redis))
    return " or ".join(names)


def _next_step(endpoints: LaneEndpoints, error: Exception) -> str:
    at = endpoints.mysql
    if at is not None and isinstance(error, MySQLError) and error.args[:1] == (schema.NO_ACCESS,):
        return (
            f"; let an administrator run: CREATE DATABASE IF NOT EXISTS `{at.database}`; "
            f"GRANT {RIGHTS} ON `{at.database}`.* TO the user"
        )
    return f"; {DOCTOR_HINT}"
