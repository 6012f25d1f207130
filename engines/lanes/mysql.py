"""Programs that write and read a table in MySQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engines.driver.outcome import Completed, Failed, completed
from engines.driver.session import Program, Session
from engines.lanes.content import ABSENT, is_row
from engines.lanes.context import MYSQL_ADDRESS, LaneContext
from engines.wire import mysql
from engines.wire.dialect import ConnectionLost
from engines.wire.error_kinds import error_kind
from engines.workload.dataset import TelemetryPool
from engines.workload.statements import UPSERT_TAIL
from engines.workload.streams import BatchStream, Row


def _values(row: Row, telemetry: TelemetryPool) -> bytes:
    """Return the VALUES tuple of one row."""
    car_id, sample, version = row
    return b"(%d,%b,%d)" % (car_id, telemetry.sql[sample], version)


def upsert(rows: list[Row], telemetry: TelemetryPool, head: bytes) -> bytes:
    """Return the request that writes `rows` with one multi-row upsert, which begins with `head`."""
    sql = telemetry.sql
    values = b",".join(
        [b"(%d,%b,%d)" % (car_id, sql[sample], version) for car_id, sample, version in rows]
    )
    return mysql.query(head + values + UPSERT_TAIL)


def write_mysql(session: Session, batches: BatchStream, context: LaneContext) -> Program:
    """Write each batch as one multi-row upsert.

    The statement is its own transaction: an acknowledged batch is committed.
    """
    connection, acknowledged = session.connections[MYSQL_ADDRESS], context.acknowledged
    head = context.upsert_head
    while True:
        rows = batches.next()
        try:
            reply = yield connection, upsert(rows, context.telemetry, head), 1
        except GeneratorExit:
            context.given_up(rows)
            raise
        if reply.__class__ is mysql.Ok:
            acknowledged(rows)
            yield completed(rows=len(rows))
        else:
            if isinstance(reply, ConnectionLost) and reply.may_be_applied:
                context.given_up(rows)
            yield Failed(error_kind(reply))


COMMIT = mysql.query(b"COMMIT")
ROLLBACK = mysql.query(b"ROLLBACK")


def write_mysql_deck(session: Session, batches: BatchStream, context: LaneContext) -> Program:
    """Write each batch as on the slide: one statement per row, and a commit per batch."""
    connection, acknowledged = session.connections[MYSQL_ADDRESS], context.acknowledged
    head = context.upsert_head
    while True:
        rows = batches.next()
        reply: Any = None
        try:
            for row in rows:
                values = _values(row, context.telemetry)
                reply = yield connection, mysql.query(head + values + UPSERT_TAIL), 1
                if reply.__class__ is not mysql.Ok:
                    break
            else:
                reply = yield connection, COMMIT, 1
        except GeneratorExit:
            context.given_up(rows)
            raise
        if reply.__class__ is mysql.Ok:
            acknowledged(rows)
            yield completed(rows=len(rows))
            continue
        if not isinstance(reply, ConnectionLost):
            yield connection, ROLLBACK, 1
        elif reply.may_be_applied:
            context.given_up(rows)
        yield Failed(error_kind(reply))


def read_mysql(session: Session, next_key: Callable[[], int], context: LaneContext) -> Program:
    """Read one key per operation with one SELECT."""
    connection, selects = session.connections[MYSQL_ADDRESS], context.selects
    find_request = selects.get
    row, absent, wrong = completed(rows=1), completed(skipped=1), completed(wrong_content=1)
    ended: Completed | None = None
    while True:
        car_id = next_key()
        select, car = find_request(car_id) or selects[car_id]
        reply = yield (connection, select, 1) if ended is None else (connection, select, 1, ended)
        if reply.__class__ is not list:
            ended = None
            yield Failed(error_kind(reply))
        elif is_row(reply, car):
            ended = row
        else:
            ended = absent if reply == ABSENT else wrong


def read_mysql_deck(session: Session, next_key: Callable[[], int], context: LaneContext) -> Program:
    """Read as on the slide: try further keys until one exists."""
    connection, selects = session.connections[MYSQL_ADDRESS], context.selects
    skipped = 0
    ended: Completed | None = None
    while True:
        select, car = selects[next_key()]
        reply = yield (connection, select, 1) if ended is None else (connection, select, 1, ended)
        ended = None
        if reply.__class__ is not list:
            yield Failed(error_kind(reply))
        elif is_row(reply, car):
            ended = completed(rows=1, skipped=skipped)
        elif reply != ABSENT:
            ended = completed(wrong_content=1, skipped=skipped)
        else:
            skipped += 1
            if context.issuing():
                continue
            ended = completed(skipped=skipped)
        skipped = 0
