"""Rows of telemon's table as payloads: the form in which the rows of all lanes are compared and cached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymysql.cursors import Cursor

from engines.text import foreign_number

COLUMNS = "car_id, rpm, water_temp, oil_temp, oil_pressure, version"
"""Columns of the table, in the order of a payload."""

NULL = b"NULL"
"""Stands in a row for a value that is none. The row is then no payload."""


def read_rows(cursor: Cursor, table: str, condition: str) -> dict[int, bytes]:
    """Return the rows for which `condition`, in SQL, holds: by car, its row in the form of a payload. Blocks.

    Values stay the bytes that the server sent, so that none of them can be refused. What is no row of the car
    (`engines.workload.redis_keys.is_row`) is not one afterwards either, and neither are two rows of one car. Later
    results of the cursor's connection are bytes too. Raises one of the FAILURES of engines.backends.mysql.client.
    """
    connection: Any = cursor.connection
    connection.use_unicode, connection.decoders = False, {}
    cursor.execute(f"SELECT {COLUMNS} FROM {table} WHERE {condition}")
    return join_rows(cursor.fetchall())


def join_rows(rows: Sequence[Sequence[bytes | None]]) -> dict[int, bytes]:
    """Return the values of each row joined by colons, by the car that its first column names. Pure.

    A row that names no car is left out.
    """
    found: dict[int, bytes] = {}
    for values in rows:
        car = (values[0] if values else None) or b""
        car_id = foreign_number(car)
        if car_id is None or car_id < 0:
            continue
        text = b":".join([NULL if value is None else value for value in values])
        found[car_id] = b"%b, %b" % (found[car_id], text) if car_id in found else text
    return found
