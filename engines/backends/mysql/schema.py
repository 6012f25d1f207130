"""Database and table of telemon on a MySQL server."""

from __future__ import annotations

from dataclasses import replace

from pymysql.cursors import Cursor
from pymysql.err import MySQLError

from engines.backends.mysql import client as mysql
from engines.endpoints.endpoint import MySQLEndpoint
from engines.text import foreign_number
from engines.workload.dataset import HOT_KEYS

NO_DATABASE, NO_ACCESS = 1049, 1044
"""Error numbers: the database does not exist; it does not exist or the user has no rights on it."""


def count_hot_rows(cursor: Cursor, table: str) -> int:
    """Return how many hot keys have a row in telemon's table. Raises pymysql.MySQLError."""
    cursor.execute(
        f"SELECT COUNT(*) FROM {table} WHERE car_id BETWEEN {HOT_KEYS.first} AND {HOT_KEYS.last}"
    )
    found = cursor.fetchone()
    return (foreign_number(found[0]) or 0) if found else 0


def make_database(endpoint: MySQLEndpoint) -> None:
    """Create the endpoint's database. Raises one of mysql.FAILURES, also if it exists already."""
    with mysql.cursor(replace(endpoint, database="")) as cursor:
        cursor.execute(f"CREATE DATABASE {quoted(endpoint.database)}")


def drop_table(cursor: Cursor, table: str) -> bool:
    """Drop the table if it is telemon's. Return whether it was."""
    if mysql.read_table_comment(cursor, table) != mysql.TABLE_COMMENT:
        return False
    cursor.execute(f"DROP TABLE {table}")
    return True


def missing_database(error: Exception) -> bool:
    """Return whether the error of a failed sign-in says that the database does not exist."""
    return isinstance(error, MySQLError) and error.args[:1] == (NO_DATABASE,)


def quoted(name: str) -> str:
    """Return `name` quoted as an SQL identifier."""
    return "`" + name.replace("`", "``") + "`"
