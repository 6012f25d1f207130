"""Getting into a MySQL server, a layer at a time: greeting, TLS, account, database."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace

from pymysql import MySQLError
from pymysql.cursors import Cursor

from engines.backends.mysql import client as mysql
from engines.doctor.check import NO_SECRET_STEP, Check, CheckRunner, Checks
from engines.doctor.mysql.handshake import (
    Handshake,
    HandshakeError,
    NotMySQLError,
    ask_for_tls,
    read_handshake,
)
from engines.doctor.network.resolve import resolve
from engines.doctor.network.tcp import CONNECT_WAIT_S, connect
from engines.doctor.network.tls import NAME as TLS
from engines.doctor.network.tls import check_tls, unencrypted
from engines.endpoints.address import map_address, split
from engines.endpoints.credential_sources import RdsToken, SecretError, origin
from engines.endpoints.endpoint import MySQLEndpoint, TlsOptions
from engines.wire.error_kinds import MYSQL_ERRORS

HANDSHAKE = "greeting"
SIGN_IN = "authentication"

PASSWORD = "user and password"

REFUSALS: dict[int, tuple[str, str]] = {
    code: (known.problem, known.next_step) for code, known in MYSQL_ERRORS.items() if known.problem
}
"""Problem and next step by error number, out of the table of errors."""

TLS_NEEDED = REFUSALS[3159]

IAM = (
    "for IAM: the user must exist in the database (IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'), this machine's "
    "role must allow rds-db:connect for it, host must be the server's own name, and the clock must be right"
)


def sign_in(
    runner: CheckRunner, endpoint: MySQLEndpoint, stack: ExitStack
) -> Generator[Check, None, Cursor | None]:
    """A cursor in telemon's database, closed with `stack`."""
    host, port = split(map_address(f"{endpoint.host}:{endpoint.port}", endpoint.address_map))
    addresses = yield from resolve(runner, host)
    if addresses is None:
        return None
    sock = yield from connect(runner, addresses, port)
    if sock is None:
        return None
    with sock:
        reached = sock.getpeername()
        greeted = yield from _greeted(runner, sock)
        if greeted is None:
            return None
        if endpoint.tls is not None:
            if not greeted.offers_tls:
                yield runner.fail(
                    TLS,
                    "not_tls",
                    "the server offers no encryption",
                    "turn TLS on at the server; only on a network that you trust set tls = false",
                )
                return None
            ask_for_tls(sock)
            try:
                secured = yield from check_tls(
                    runner, sock, endpoint.tls, endpoint.host, lambda: _to_tls(reached[:2])
                )
            except OSError as error:
                yield runner.fail(
                    TLS,
                    "no_handshake",
                    f"the server ends the connection in the middle of the handshake ({error or 'hung up'})",
                    "look into the server's log; a proxy or a tunnel on the way may not be meant for MySQL",
                )
                return None
            if secured is None:
                return None
            secured.close()
        else:
            yield unencrypted(runner, str(reached[0]))
    return (yield from _signed_in(runner, endpoint, greeted, stack))


def _to_tls(reached: tuple[str, int]) -> socket.socket:
    """Another connection to the same server, up to where TLS begins."""
    sock = socket.create_connection(reached, CONNECT_WAIT_S)
    try:
        read_handshake(sock)
        ask_for_tls(sock)
    except (OSError, NotMySQLError):
        sock.close()
        raise ConnectionError("no greeting") from None
    return sock


def _greeted(runner: CheckRunner, sock: socket.socket) -> Checks[Handshake]:
    try:
        told = read_handshake(sock)
    except TimeoutError:
        yield runner.fail(
            HANDSHAKE,
            "silent",
            f"takes the connection and says nothing for {CONNECT_WAIT_S:.0f} s",
            "something else listens there, or the server hangs: check the port, then the server itself",
        )
    except NotMySQLError:
        yield runner.fail(
            HANDSHAKE, "not_mysql", "what answers is not a MySQL server", "check host and port"
        )
    except OSError:
        yield runner.fail(
            HANDSHAKE,
            "hung_up",
            "takes the connection and hangs up",
            "behind a tunnel or a proxy: its far end does not reach the server; else look into the server's log",
        )
    else:
        if isinstance(told, HandshakeError):
            yield _refused(runner, told.code, told.message, HANDSHAKE)
            return None
        return told
    return None


def _signed_in(
    runner: CheckRunner, endpoint: MySQLEndpoint, greeted: Handshake, stack: ExitStack
) -> Generator[Check, None, Cursor | None]:
    try:
        cursor = stack.enter_context(mysql.cursor(endpoint))
        cursor.execute("SELECT CURRENT_USER()")
        row = cursor.fetchone()
    except SecretError as error:
        yield runner.fail(SIGN_IN, "no_secret", str(error), NO_SECRET_STEP)
    except MySQLError as error:
        code, said = error.args if len(error.args) > 1 else (0, str(error))
        check = _refused(runner, int(code), str(said), SIGN_IN, endpoint, greeted)
        yield check
    except OSError as error:
        yield runner.fail(SIGN_IN, "hung_up", str(error), "look into the server's log")
    else:
        assert row is not None
        yield runner.ok(SIGN_IN, f"as {row[0]}, database {endpoint.database}")
        return cursor
    return None


def _signs_in_by_tls(endpoint: MySQLEndpoint) -> bool:
    """Whether an account that was refused without TLS is let in with it: MariaDB calls both a wrong password.

    Whoever is there has just been trusted without TLS, so no certificate is asked for.
    """
    if endpoint.tls is not None:
        return False
    try:
        with mysql.cursor(replace(endpoint, tls=TlsOptions(verify="none"))):
            return True
    except MySQLError as error:
        return error.args[:1] in ((1044,), (1049,))
    except (OSError, SecretError):
        return False


def _refused(
    runner: CheckRunner,
    code: int,
    said: str,
    name: str,
    endpoint: MySQLEndpoint | None = None,
    greeted: Handshake | None = None,
) -> Check:
    problem, step = REFUSALS.get(
        code, ("refused_by_server", "look the error up in the manual of the server")
    )
    if problem == "wrong_password" and endpoint is not None:
        if isinstance(endpoint.secret, RdsToken):
            step = IAM
        elif greeted is not None and greeted.offers_tls and _signs_in_by_tls(endpoint):
            problem, step = TLS_NEEDED
        else:
            step = step.replace(PASSWORD, f"{PASSWORD} ({origin(endpoint.secret)})")
    return runner.fail(name, problem, f"{said} (error {code})", step)
