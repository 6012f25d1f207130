"""Accounts that a test makes on a private MySQL or MariaDB."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pymysql

from engines.endpoints.endpoint import MySQLEndpoint, TlsOptions
from engines.model.lanes import LANES
from engines.sandbox.sandbox import Sandbox
from tests.support.user_servers import as_root


def is_oracle(sandbox: Sandbox) -> bool:
    """Return whether the private MySQL servers are Oracle's."""
    return sandbox.servers["mysql"].product == "MySQL"


def without_commits(sandbox: Sandbox, lane: str, preset: str) -> bool:
    """Return whether the servers of a lane do not count what they commit.

    Oracle's MySQL counts COMMIT statements, and what is in its binary log: the private one has none.
    """
    return is_oracle(sandbox) and LANES[lane].writes_sql and preset == "fair"


def saying(sandbox: Sandbox, at: MySQLEndpoint) -> MySQLEndpoint:
    """The same server, asked so that it says that a password is wrong: Oracle's MySQL does over TLS only."""
    return replace(at, tls=TlsOptions(verify="none")) if is_oracle(sandbox) else at


def make_account(sandbox: Sandbox, server: str, at: MySQLEndpoint, *grants: str) -> str:
    """Make the account of `at`, with these rights and no others, in place of one of the same name; return its name.

    Only one that has signed in over TLS since Oracle's MySQL was started, or was made, can do so without.
    """
    who = f"'{at.user}'@'127.0.0.1'"
    as_root(
        sandbox,
        server,
        f"DROP USER IF EXISTS {who}",
        f"CREATE USER {who} IDENTIFIED BY '{at.password}'",
        *(f"GRANT {grant} TO {who}" for grant in grants),
    )
    remember(at)
    return who


def remember(at: MySQLEndpoint) -> None:
    """Sign in over TLS if the server has it. Whether that succeeds is of no interest."""
    with suppress(pymysql.MySQLError):
        pymysql.connect(host=at.host, port=at.port, user=at.user, password=at.password).close()
