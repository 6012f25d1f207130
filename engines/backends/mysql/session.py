"""Session settings on a MySQL or MariaDB server: what telemon relies on, set by a statement of its own.

A server's `init_connect` and its defaults apply to every new session, and its answer to the sign-in does not show what
`init_connect` changed. So nothing is taken from them that decides what a statement does or whether it is committed.
What only makes a statement fail (time limits, read-only transactions) is the server owner's and stays: the error says
so.
"""

from __future__ import annotations

from typing import Any

from pymysql.constants.SERVER_STATUS import SERVER_STATUS_IN_TRANS
from pymysql.err import MySQLError, OperationalError

from engines.backends.mysql.authentication import PasswordGuard

SQL_MODE = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
"""Without the first, a value that does not fit is stored as another one; without the second, a table may be created in
an engine without transactions. Other modes change how a statement is read (ANSI_QUOTES, ORACLE) and are off."""

ISOLATION = "REPEATABLE-READ"
"""InnoDB's default level. With another one the same statements take other locks, and READ-UNCOMMITTED shows rows that
nobody has committed."""

ALL_ROWS = 2**64 - 1
"""Value of `sql_select_limit` that limits nothing. With 0, a SELECT finds no row that is there."""

UNKNOWN = ((1064,), (1193,), (1231,), (1235,))
"""Arguments of the errors of a product that lacks one of the variables, or does not take several at a time. It is given
what decides about commits alone."""

NOT_KEPT = 1231
"""MySQL's error number for a system variable that cannot be set to a value."""


def session_statement(charset: str, *, autocommit: bool) -> str:
    """Return the statement that sets everything telemon relies on.

    The isolation level has a name of its own in each product: a comment is executed by the product that it is for.
    Switching autocommit off and on commits a transaction that `init_connect` has begun, in which everything that
    follows would stay uncommitted.
    """
    return (
        f"SET NAMES {charset}, sql_mode='{SQL_MODE}', sql_select_limit={ALL_ROWS}, "
        f"/*!50720 transaction_isolation='{ISOLATION}', */ /*M!100000 tx_isolation='{ISOLATION}', */ "
        f"autocommit=0, autocommit=1{'' if autocommit else ', autocommit=0'}"
    )


class SessionConnection(PasswordGuard):
    """PyMySQL connection whose session has telemon's settings, whatever the server gives to a new one."""

    takes_settings = True
    """Whether the server took them all. If not, the session has telemon's character set and autocommit, and else what
    the server gives to it."""

    def __init__(self, *, committing: bool, **options: Any) -> None:
        """Create a connection to be opened later. With `committing`, each statement is its own transaction."""
        self._committing = committing
        super().__init__(**options, autocommit=None, defer_connect=True)

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Set the character set, and with the same statement everything else; then choose the database again.

        PyMySQL calls it whenever it has signed in, which is after the server's `init_connect`. Blocks. Raises
        OperationalError if the server says that it does not do what was set.
        """
        del collation  # PyMySQL is given none
        try:
            self.query(session_statement(charset, autocommit=self._committing))
        except MySQLError as error:
            if error.args[:1] not in UNKNOWN:
                raise
            self.takes_settings = False
            self.query(f"SET NAMES {charset}")
            self.query(f"SET autocommit={int(self._committing)}")
        if self.get_autocommit() is not self._committing:
            state = "off" if self._committing else "on"
            raise _not_kept(f"autocommit stays {state}")
        status: int = self.server_status  # type: ignore[attr-defined]
        if status & SERVER_STATUS_IN_TRANS:
            raise _not_kept("a transaction stays open")
        if self.db:
            # `init_connect` may have chosen another one.
            self.select_db(self.db)


def _not_kept(what: str) -> OperationalError:
    return OperationalError(
        NOT_KEPT,
        f"the session does not keep what telemon sets: {what}, so that nothing written would be committed as "
        "telemon counts it; connect to the server itself, past any proxy",
    )
