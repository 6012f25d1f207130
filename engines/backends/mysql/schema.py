"""telemon's own place on a MySQL server: the database that it is given or makes, and its table."""

from __future__ import annotations

from dataclasses import replace

from pymysql.cursors import Cursor
from pymysql.err import MySQLError

from engines.backends.mysql import client as mysql
from engines.endpoints.endpoint import MySQLEndpoint
from engines.workload.dataset import HOT_KEYS

NO_DATABASE, NO_ACCESS = 1049, 1044
"""Error numbers: the database does not exist; it does not, or the user may not use it."""


def count_hot_rows(cursor: Cursor) -> int:
    """How many of the cars that readers ask for have a row in telemon's table. Raises pymysql.MySQLError."""
    cursor.execute(
        f"SELECT COUNT(*) FROM {mysql.TABLE} WHERE car_id BETWEEN {HOT_KEYS.first} AND {HOT_KEYS.last}"
    )
    found = cursor.fetchone()
    return int(found[0]) if found else 0


def make_database(endpoint: MySQLEndpoint) -> None:
    """Make the database. Raises one of mysql.FAILURES, among them that it exists already."""
    with mysql.cursor(replace(endpoint, database="")) as cursor:
        cursor.execute(f"CREATE DATABASE {quoted(endpoint.database)}")


def drop_table(cursor: Cursor) -> bool:
    """Remove the table if it is telemon's; whether it was."""
    if mysql.read_table_comment(cursor) != mysql.TABLE_COMMENT:
        return False
    cursor.execute(f"DROP TABLE {mysql.TABLE}")
    return True


def missing_database(error: Exception) -> bool:
    """Whether a server that could not be signed in to said that the database is not there."""
    return isinstance(error, MySQLError) and error.args[:1] == (NO_DATABASE,)


def quoted(name: str) -> str:
    """A name as an identifier in a statement."""
    return "`" + name.replace("`", "``") + "`"
