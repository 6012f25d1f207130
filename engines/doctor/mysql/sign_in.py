"""Checks of the sign-in to a MySQL server, layer by layer: initial packet, TLS, account, database."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace

from pymysql import MySQLError
from pymysql.cursors import Cursor

from engines.backends.failure_text import error_code
from engines.backends.mysql import client as mysql
from engines.backends.mysql.checked_connection import MALFORMED
from engines.doctor.check import (
    HUNG_UP_STEP,
    NO_SECRET_STEP,
    SILENT_STEP,
    UNKNOWN_ERROR_STEP,
    Check,
    CheckRunner,
    Checks,
)
from engines.doctor.mysql.handshake import (
    Handshake,
    HandshakeError,
    NotMySQLError,
    ask_for_tls,
    read_handshake,
)
from engines.doctor.network.tcp import CONNECT_WAIT_S, open_tcp, resolve_and_connect
from engines.doctor.network.tls import NAME as TLS
from engines.doctor.network.tls import check_tls, unencrypted
from engines.endpoints.credential_sources import RdsToken, SecretError, origin
from engines.endpoints.endpoint import MySQLEndpoint, TlsOptions
from engines.wire.error_kinds import MYSQL_ERRORS, describe_mysql_error

HANDSHAKE = "greeting"
"""Name of the check of the initial packet."""
SIGN_IN = "authentication"
"""Name of the check of the account."""

PASSWORD = "user and password"
"""Words in a next step that are completed with the source of the password."""

REFUSALS: dict[int, tuple[str, str]] = {
    code: (known.problem, known.next_step) for code, known in MYSQL_ERRORS.items() if known.problem
}
"""Error number -> problem and next step, from the table of known errors."""

TLS_NEEDED = REFUSALS[3159]
"""Problem and next step when the server or account requires TLS."""

IAM = (
    "for IAM: the user must exist in the database (IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'), this machine's "
    "role must allow rds-db:connect for it, host must be the server's own name, and the clock must be right"
)
"""Next step when an IAM token is refused."""


def sign_in(
    runner: CheckRunner, endpoint: MySQLEndpoint, stack: ExitStack
) -> Generator[Check, None, Cursor | None]:
    """Check each layer up to the account. Return a cursor in telemon's database, closed with `stack`, or None."""
    address = f"{endpoint.host}:{endpoint.port}"
    sock = yield from resolve_and_connect(runner, address, endpoint.address_map)
    if sock is None:
        return None
    with sock:
        reached = sock.getpeername()
        handshake = yield from _check_handshake(runner, sock)
        if handshake is None:
            return None
        if endpoint.tls is not None:
            if not handshake.offers_tls:
                yield runner.fail(
                    TLS,
                    "not_tls",
                    "the server offers no encryption",
                    "turn TLS on at the server; only on a network that you trust set tls = false",
                )
                return None
            ask_for_tls(sock)
            try:
                encrypted = yield from check_tls(
                    runner,
                    sock,
                    endpoint.tls,
                    endpoint.host,
                    lambda: _connect_up_to_tls(reached[:2]),
                )
            except OSError as error:
                yield runner.fail(
                    TLS,
                    "no_handshake",
                    f"the server ends the connection in the middle of the handshake ({error or 'hung up'})",
                    "look into the server's log; a proxy or a tunnel on the way may not be meant for MySQL",
                )
                return None
            if encrypted is None:
                return None
            encrypted.close()
        else:
            yield unencrypted(runner, str(reached[0]))
    return (yield from _check_sign_in(runner, endpoint, handshake, stack))


def _connect_up_to_tls(reached: tuple[str, int]) -> socket.socket:
    """Open another connection to the same server, up to the point where TLS begins."""
    sock = open_tcp(*reached)
    try:
        read_handshake(sock)
        ask_for_tls(sock)
    except (OSError, NotMySQLError):
        sock.close()
        raise ConnectionError("no greeting") from None
    return sock


def _check_handshake(runner: CheckRunner, sock: socket.socket) -> Checks[Handshake]:
    try:
        answer = read_handshake(sock)
    except TimeoutError:
        yield runner.fail(
            HANDSHAKE,
            "silent",
            f"takes the connection and says nothing for {CONNECT_WAIT_S:.0f} s",
            SILENT_STEP,
        )
    except NotMySQLError as error:
        yield runner.fail(
            HANDSHAKE,
            "not_mysql",
            f"what answers is not a MySQL server: {error}",
            REFUSALS[MALFORMED][1],
        )
    except OSError:
        yield runner.fail(
            HANDSHAKE,
            "hung_up",
            "takes the connection and hangs up",
            HUNG_UP_STEP,
        )
    else:
        if isinstance(answer, HandshakeError):
            yield _refusal(runner, answer.code, answer.message, HANDSHAKE)
            return None
        return answer
    return None


def _check_sign_in(
    runner: CheckRunner, endpoint: MySQLEndpoint, handshake: Handshake, stack: ExitStack
) -> Generator[Check, None, Cursor | None]:
    try:
        cursor = stack.enter_context(mysql.cursor(endpoint))
        cursor.execute("SELECT CURRENT_USER()")
        row = cursor.fetchone()
    except SecretError as error:
        yield runner.fail(SIGN_IN, "no_secret", str(error), NO_SECRET_STEP)
    except MySQLError as error:
        code = error_code(error)
        message = str(error if code is None else error.args[1])
        yield _refusal(runner, code or 0, message, SIGN_IN, endpoint, handshake)
    except OSError as error:
        yield runner.fail(SIGN_IN, "hung_up", str(error), "look into the server's log")
    else:
        assert row is not None
        yield runner.ok(SIGN_IN, f"as {row[0]}, database {endpoint.database}")
        return cursor
    return None


def _signs_in_by_tls(endpoint: MySQLEndpoint) -> bool:
    """Return whether an account that was refused without TLS can sign in with it. MariaDB calls both a wrong password.

    The same server was just trusted without TLS, so its certificate is not verified. It gets no password for that.
    """
    if endpoint.tls is not None:
        return False
    try:
        with mysql.cursor(
            replace(endpoint, tls=TlsOptions(verify="none")), accept_unverified=False
        ):
            return True
    except MySQLError as error:
        return error.args[:1] in ((1044,), (1049,))
    except (OSError, SecretError):
        return False


def _refusal(
    runner: CheckRunner,
    code: int,
    message: str,
    name: str,
    endpoint: MySQLEndpoint | None = None,
    handshake: Handshake | None = None,
) -> Check:
    problem, step = REFUSALS.get(code, ("refused_by_server", UNKNOWN_ERROR_STEP))
    if problem == "wrong_password" and endpoint is not None:
        if isinstance(endpoint.secret, RdsToken):
            step = IAM
        elif handshake is not None and handshake.offers_tls and _signs_in_by_tls(endpoint):
            problem, step = TLS_NEEDED
        else:
            step = step.replace(PASSWORD, f"{PASSWORD} ({origin(endpoint.secret)})")
    return runner.fail(name, problem, f"{message} ({describe_mysql_error(code)})", step)
