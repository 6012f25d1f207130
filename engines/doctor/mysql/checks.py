"""Checks of a MySQL server after sign-in: role, table, permissions, durability and free connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

from pymysql import MySQLError
from pymysql.cursors import Cursor

from engines.backends.mysql import client as mysql
from engines.backends.mysql import lease, optional, schema
from engines.doctor import clock, round_trip
from engines.doctor.check import BROKEN_OFF_STEP, Check, CheckRunner, Checks
from engines.doctor.mysql.session import check_session
from engines.doctor.mysql.sign_in import REFUSALS, sign_in
from engines.doctor.target import Target
from engines.endpoints.endpoint import MySQLEndpoint
from engines.model.server_facts import FLUSH, LOG_BIN, SYNC_BINLOG
from engines.provisioning.leases import racing_text
from engines.provisioning.prepare import PREPARE_HINT
from engines.text import foreign_number
from engines.wire.error_kinds import MYSQL_ERRORS, describe_mysql_error
from engines.workload.dataset import HOT_KEYS
from engines.workload.namespace import Namespace
from engines.workload.statements import UPSERT_TAIL, select, upsert_head

READ_ONLY = ("read_only", "super_read_only", "innodb_read_only")
"""Variables of a server that refuses writes. Replicas set the first two, Aurora's readers the last."""

READ_ONLY_ERRORS = frozenset({1290, 1792, 1836})
"""Error numbers of a server that refuses writes."""
DENIED, DENIED_COLUMN, NO_TABLE, NO_COLUMN = 1142, 1143, 1146, 1054
"""Error numbers of a statement on the table."""

ROW_BYTES = 64
"""Maximum size of a row in a statement in bytes: six numbers of up to 19 digits are rarely that long."""

NOBODY = 0
"""Id of a car that no race uses. The permission check writes its row and rolls it back."""


def check_mysql(target: Target[MySQLEndpoint]) -> Iterator[Check]:
    """Yield the checks of one MySQL server, up to the first failed one."""
    runner = CheckRunner(target.title)
    with ExitStack() as stack:
        try:
            cursor = yield from sign_in(runner, target.endpoint, stack)
            if cursor is not None:
                yield from _checks_after_sign_in(runner, target, cursor)
        except (MySQLError, OSError) as error:
            yield _broken_off(runner, error)


def _checks_after_sign_in(
    runner: CheckRunner, target: Target[MySQLEndpoint], cursor: Cursor
) -> Iterator[Check]:
    facts = mysql.read_facts(cursor)
    yield runner.ok("product", f"{facts.product} {facts.version}")
    ahead_s = clock.offset_s(lambda: _utc_s(cursor))
    if ahead_s is not None:
        yield clock.check_clock(runner, ahead_s)
    if (yield from _check_role(runner, cursor)) is None:
        return
    yield from check_session(runner, cursor)
    yield from round_trip.check_round_trip(
        runner, round_trip.round_trips_ms(cursor.connection.ping)
    )
    if (yield from _check_lease(runner, cursor, target.endpoint)) is None:
        return
    namespace = target.endpoint.namespace
    if (yield from _check_table(runner, cursor, namespace)) is None:
        return
    if (yield from _check_permissions(runner, cursor, namespace.table)) is None:
        return
    yield from _check_durability(runner, cursor, facts.durability)
    yield from _check_free_connections(runner, cursor, target)


def _utc_s(cursor: Cursor) -> float | None:
    found = optional.rows(cursor, "SELECT UTC_TIMESTAMP(6)")
    at = found[0][0] if found else None
    return at.replace(tzinfo=UTC).timestamp() if isinstance(at, datetime) else None


def _check_role(runner: CheckRunner, cursor: Cursor) -> Checks[bool]:
    settings = mysql.read_variables(cursor, READ_ONLY)
    closed = [name for name, value in settings.items() if value.upper() in ("ON", "1")]
    if closed:
        yield runner.fail(
            "role",
            "read_only",
            f"a server that takes no writes ({', '.join(closed)} is on): a replica or a reader endpoint",
            "name the writer: the cluster endpoint of Aurora, the primary instance of RDS",
        )
        return None
    yield runner.ok("role", "writer")
    return True


def _check_lease(runner: CheckRunner, cursor: Cursor, endpoint: MySQLEndpoint) -> Checks[bool]:
    name = "other telemons"
    try:
        holder = lease.holder(cursor, endpoint)
    except MySQLError as error:
        yield runner.warn(
            name,
            "no_lease",
            f"the server keeps no named locks: {mysql.error_text(error, endpoint.namespace)}",
            "nothing keeps another telemon off while one races: see to it yourself",
        )
        return True
    if holder is not None:
        found, _, step = racing_text(holder, endpoint.namespace).partition("; ")
        yield runner.fail(name, "already_racing", found, step)
        return None
    yield runner.ok(name, "none races here in this namespace")
    return True


def _check_table(runner: CheckRunner, cursor: Cursor, namespace: Namespace) -> Checks[bool]:
    name, table = "table", namespace.table
    try:
        comment = mysql.read_table_comment(cursor, table)
        cursor.execute(select(table).decode() % NOBODY)
        cursor.fetchall()
    except MySQLError as error:
        code = error.args[0]
        if code in (DENIED, DENIED_COLUMN):
            yield _table_denied(runner, name, error)
        elif code == NO_TABLE:
            yield runner.fail(name, "no_table", f"there is no table {table}", PREPARE_HINT)
        elif code == NO_COLUMN and comment == mysql.TABLE_COMMENT:
            yield runner.fail(
                name,
                "wrong_columns",
                f"table {table} is another telemon's: {error.args[1]}",
                "run `telemon clean`, then `telemon prepare`",
            )
        elif code == NO_COLUMN:
            yield _foreign_table(runner, comment, namespace)
        else:
            raise
        return None
    if comment != mysql.TABLE_COMMENT:
        yield _foreign_table(runner, comment, namespace)
        return None
    rows = schema.count_hot_rows(cursor, table)
    if rows < len(HOT_KEYS):
        yield runner.fail(
            name,
            "not_seeded",
            f"table {table} holds {rows:,} of the {len(HOT_KEYS):,} cars that readers ask for",
            PREPARE_HINT,
        )
        return None
    yield runner.ok(name, f"{table}, {mysql.TABLE_COMMENT}, holds all {rows:,} hot cars")
    return True


def _foreign_table(runner: CheckRunner, comment: str | None, namespace: Namespace) -> Check:
    return runner.fail(
        "table",
        "foreign_table",
        f"table {namespace.table} {mysql.foreign_table_text(comment)}",
        f"telemon does not touch it: name another database, or {namespace.advice}",
    )


def _check_permissions(runner: CheckRunner, cursor: Cursor, table: str) -> Checks[bool]:
    """Run a writer's and a reader's statements, and roll them back."""
    name = "permissions"
    row = f"({NOBODY},0,0,0,0,0)"
    try:
        cursor.execute("START TRANSACTION")
        try:
            cursor.execute(upsert_head(table).decode() + row + UPSERT_TAIL.decode())
            cursor.execute(select(table).decode() % NOBODY)
        finally:
            with suppress(MySQLError):
                cursor.execute("ROLLBACK")
    except MySQLError as error:
        if error.args[0] in (DENIED, DENIED_COLUMN):
            yield _table_denied(runner, name, error)
        elif error.args[0] in READ_ONLY_ERRORS:
            yield runner.fail(
                "role", "read_only", str(error.args[1]), "name the writer, or turn read_only off"
            )
        else:
            raise
        return None
    yield runner.ok(name, "SELECT, INSERT and UPDATE of the table: done, and rolled back")
    return True


def _table_denied(runner: CheckRunner, name: str, error: MySQLError) -> Check:
    return runner.fail(
        name,
        "denied_table",
        f"{error.args[1]} ({describe_mysql_error(error.args[0])})",
        "an administrator must grant SELECT, INSERT and UPDATE (and for `telemon prepare` and `telemon clean` CREATE "
        "and DROP) on the table; without any right to it nobody can tell whether it is there",
    )


def _check_durability(runner: CheckRunner, cursor: Cursor, words: str) -> Iterator[Check]:
    settings = mysql.read_variables(cursor, (FLUSH, LOG_BIN, SYNC_BINLOG))
    weak = settings.get(FLUSH, "1") != "1"
    if settings.get(LOG_BIN, "OFF").upper() in ("ON", "1"):
        weak = weak or settings.get(SYNC_BINLOG, "1") != "1"
    if weak:
        yield runner.warn(
            "durability",
            "weak_durability",
            words,
            "a commit may be lost in a crash, which makes it faster: set innodb_flush_log_at_trx_commit and "
            "sync_binlog to 1, or say so beside the result",
        )
    else:
        yield runner.ok("durability", words)


def _check_free_connections(
    runner: CheckRunner, cursor: Cursor, target: Target[MySQLEndpoint]
) -> Iterator[Check]:
    names = ("max_connections", "max_allowed_packet")
    limits = optional.numbers(tuple(mysql.read_variables(cursor, names).items()))
    threads = optional.rows(cursor, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
    counts = optional.numbers(threads)
    if "max_connections" not in limits or "Threads_connected" not in counts:
        yield runner.ok("room", "the server does not say how many connections it takes")
        return
    used = counts["Threads_connected"] - 1  # minus this connection
    most = limits["max_connections"]
    free = most - used
    # The account's limit; 0 if it has none.
    own = foreign_number(optional.variables(cursor, ("max_user_connections",))[0]) or 0
    if own:
        free = min(free, own)
    finding = f"{most} connections allowed, {used} in use, {target.connections} asked for"
    if target.connections > free:
        limit = f" (max_user_connections is {own})" if own == free else ""
        yield runner.fail("room", "no_room", finding + limit, REFUSALS[1040][1])
        return
    statement_bytes = target.batch * ROW_BYTES
    if statement_bytes > limits.get("max_allowed_packet", statement_bytes):
        yield runner.fail(
            "room",
            "batch_too_large",
            f"a batch of {target.batch} rows takes up to {statement_bytes:,} bytes; the server takes statements of "
            f"{limits['max_allowed_packet']:,}",
            "race with a smaller batch, or raise max_allowed_packet",
        )
        return
    yield runner.ok("room", finding)


def _broken_off(runner: CheckRunner, error: Exception) -> Check:
    code, message = error.args[:2] if len(error.args) > 1 else (0, error)
    known = MYSQL_ERRORS.get(code) if isinstance(error, MySQLError) else None
    if known is not None and known.problem:
        text = f"{message} ({describe_mysql_error(code)})"
        return runner.fail("connection", known.problem, text, known.next_step)
    return runner.fail(
        "connection",
        "broken_off",
        f"the server stopped answering in the middle of it: {message}",
        BROKEN_OFF_STEP,
    )
