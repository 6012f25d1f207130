"""Statements that a race can do without: a proxy, another product or an administrator may refuse them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymysql.cursors import Cursor
from pymysql.err import MySQLError

from engines.text import foreign_number

LOST = (2006, 2013)
"""Numbers of the errors of a connection that is gone. It cannot be used for any other statement either."""


def rows(cursor: Cursor, statement: str) -> Sequence[tuple[Any, ...]]:
    """Return the rows of a statement, none if the server refuses it. Blocks. Raises MySQLError if it is gone."""
    try:
        cursor.execute(statement)
        return list(cursor.fetchall())
    except MySQLError as error:
        if error.args[:1] in [(number,) for number in LOST]:
            raise
        return []


def variables(cursor: Cursor, names: Sequence[str]) -> list[Any]:
    """Return the values of system variables, None for each that the server does not have or show. Blocks.

    Raises MySQLError if the server is gone.
    """
    found = rows(cursor, f"SELECT {', '.join(f'@@{name}' for name in names)}")
    if found and len(found[0]) == len(names):
        return list(found[0])
    each = [rows(cursor, f"SELECT @@{name}") for name in names]
    return [one[0][0] if one and one[0] else None for one in each]


def numbers(pairs: Sequence[tuple[Any, ...]]) -> dict[str, int]:
    """Return names and values as SHOW STATUS lists them, without values that are no numbers. Pure."""
    found = {}
    for name, value, *_ in (pair for pair in pairs if len(pair) > 1):
        number = foreign_number(value)
        if number is not None:
            found[str(name)] = number
    return found
