"""telemon's own place on a MySQL server: its database, if it made that, and its table."""

from __future__ import annotations

from dataclasses import replace

from pymysql.cursors import Cursor
from pymysql.err import MySQLError

from engines.endpoint import MySQLEndpoint
from engines.servers import mysql
from engines.workload import HOT

DATABASE_MARK = "telemon_made_this_database"
"""An empty table in a database that telemon made: MySQL knows no comments on databases. Only a database that holds
it, and nothing that telemon did not make, is ever dropped."""

NO_DATABASE, NO_ACCESS = 1049, 1044
"""Error numbers: the database does not exist; it does not, or the user may not use it."""


def comment(cursor: Cursor, table: str) -> str | None:
    """The comment on a table of the database; None if there is no such table, as far as the user may see."""
    cursor.execute(
        "SELECT table_comment FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = %s",
        (table,),
    )
    found = cursor.fetchone()
    return None if found is None else str(found[0])


def hot_rows(cursor: Cursor) -> int:
    """How many of the cars that readers ask for have a row in telemon's table. Raises pymysql.MySQLError."""
    cursor.execute(
        f"SELECT COUNT(*) FROM {mysql.TABLE} WHERE car_id BETWEEN {HOT.first} AND {HOT.last}"
    )
    found = cursor.fetchone()
    return int(found[0]) if found else 0


def make_database(endpoint: MySQLEndpoint) -> None:
    """Make the database, and the mark in it. Raises one of mysql.FAILURES, among them that it exists already."""
    with mysql.session(replace(endpoint, database="")) as cursor:
        cursor.execute(f"CREATE DATABASE {_quoted(endpoint.database)}")
    with mysql.session(endpoint) as cursor:
        cursor.execute(
            f"CREATE TABLE {DATABASE_MARK} (nothing INT PRIMARY KEY) "
            f"ENGINE=InnoDB COMMENT='{mysql.MARK}'"
        )


def drop_table(cursor: Cursor) -> bool:
    """Remove the table if it is telemon's; whether it was."""
    if comment(cursor, mysql.TABLE) != mysql.MARK:
        return False
    cursor.execute(f"DROP TABLE {mysql.TABLE}")
    return True


def drop_database(cursor: Cursor, name: str) -> str | None:
    """Remove the database if telemon made it and nothing else is in it; why it stays, if it does."""
    if not made_database(cursor):
        return "not made by telemon"
    others = strangers(cursor)
    if others:
        return f"it holds {', '.join(others[:3])}"
    cursor.execute(f"DROP DATABASE {_quoted(name)}")
    return None


def made_database(cursor: Cursor) -> bool:
    """Whether telemon made the database."""
    return comment(cursor, DATABASE_MARK) == mysql.MARK


def strangers(cursor: Cursor) -> list[str]:
    """The tables, views, routines, triggers and events of the database that telemon did not make."""
    own = (mysql.TABLE, DATABASE_MARK)
    cursor.execute(
        "SELECT table_name, table_comment FROM information_schema.tables WHERE table_schema = DATABASE()"
    )
    found = [
        f"table {name}"
        for name, said in cursor.fetchall()
        if not (name in own and said == mysql.MARK)
    ]
    for kind in ("routine", "trigger", "event"):
        cursor.execute(
            f"SELECT {kind}_name FROM information_schema.{kind}s WHERE {kind}_schema = DATABASE()"
        )
        found += [f"{kind} {name}" for (name,) in cursor.fetchall()]
    return found


def missing_database(error: Exception) -> bool:
    """Whether a server that could not be signed in to said that the database is not there."""
    return isinstance(error, MySQLError) and error.args[:1] == (NO_DATABASE,)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
