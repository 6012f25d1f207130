"""Check of what a new session on a MySQL server is like, and whether telemon's own settings hold there."""

from __future__ import annotations

from collections.abc import Iterator

from pymysql.cursors import Cursor

from engines.backends.mysql import client as mysql
from engines.backends.mysql.session import ALL_ROWS, ISOLATION
from engines.doctor.check import Check, CheckRunner
from engines.model.server_facts import LOG_BIN, SQL_LOG_BIN
from engines.text import quote_value

NAME = "session"
"""Name of the check."""

INIT_CONNECT, AUTOCOMMIT = "init_connect", "autocommit"
"""Variables: the statements of each new session, and what they may turn off."""

EXPECTED = {
    AUTOCOMMIT: "1",
    "sql_select_limit": str(ALL_ROWS),
    "tx_isolation": ISOLATION,
    "transaction_isolation": ISOLATION,
}
"""Values of a session that telemon has opened, by variable. The isolation level has either name, or both."""

SET_BY_TELEMON = (
    ((AUTOCOMMIT,), "autocommit on"),
    (("tx_isolation", "transaction_isolation"), ISOLATION),
)
"""What a session has if nothing of `EXPECTED` is otherwise: the variables that show it, and its words."""

OFF = ("OFF", "0")

SWITCH = {"ON": "1", "OFF": "0"}
"""How SHOW VARIABLES names the values of a switch."""


def check_session(runner: CheckRunner, cursor: Cursor) -> Iterator[Check]:
    """Yield whether telemon's settings hold in a session that it opened, beside what the server would have given it."""
    given = mysql.read_variables(cursor, (INIT_CONNECT, AUTOCOMMIT, LOG_BIN))
    kept = mysql.read_session_variables(cursor, (*EXPECTED, SQL_LOG_BIN))
    wrong = [
        f"{name} is {quote_value(kept[name])}"
        for name, value in EXPECTED.items()
        if name in kept and SWITCH.get(kept[name].upper(), kept[name]) != value
    ]
    if wrong:
        yield runner.fail(
            NAME,
            "session_not_kept",
            f"telemon sets its session, and {' and '.join(wrong)} all the same{_origin(given)}",
            "connect to the server itself, past any proxy that changes sessions",
        )
        return
    logged = given.get(LOG_BIN, "OFF").upper() not in OFF
    if logged and kept.get(SQL_LOG_BIN, "ON").upper() in OFF:
        yield runner.warn(
            NAME,
            "not_in_binary_log",
            f"what this account writes is not in the binary log (sql_log_bin is off){_origin(given)}",
            "a write costs less than one that is replicated: race as the application's account, or say so beside "
            "the result",
        )
        return
    read = [words for names, words in SET_BY_TELEMON if any(name in kept for name in names)]
    unread = [words for names, words in SET_BY_TELEMON if not any(name in kept for name in names)]
    found = f"{', '.join(read)}, set by telemon{_origin(given)}" if read else ""
    if not unread:
        yield runner.ok(NAME, found)
        return
    yield runner.warn(
        NAME,
        "session_unread",
        f"{found}{'; ' if found else ''}the server does not show whether these hold: {', '.join(unread)}",
        "a race counts commits and reads rows back, so that it notices if nothing is committed",
    )


def _origin(given: dict[str, str]) -> str:
    """Return what the server gives to a new session, if that is not the products' default."""
    parts = []
    if given.get(AUTOCOMMIT, "ON").upper() in OFF:
        parts.append("its default is autocommit off")
    if given.get(INIT_CONNECT):
        parts.append(f"its init_connect is {quote_value(given[INIT_CONNECT])}")
    return f"; of the server's own, {' and '.join(parts)}" if parts else ""
