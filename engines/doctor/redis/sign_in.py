"""Checks of the sign-in to a Redis server, layer by layer: name, TCP, TLS or none, account."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Generator

from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from engines.backends.failure_text import known_step
from engines.backends.redis.client import client
from engines.backends.redis.optional import is_unknown_command
from engines.backends.redis.reply_parser import RedisProtocolError
from engines.doctor.check import (
    BROKEN_OFF_STEP,
    HUNG_UP_STEP,
    NO_SECRET_STEP,
    SILENT_STEP,
    UNKNOWN_ERROR_STEP,
    Check,
    CheckRunner,
    Checks,
)
from engines.doctor.network.read import read_line
from engines.doctor.network.tcp import CONNECT_WAIT_S, open_tcp, resolve_and_connect
from engines.doctor.network.tls import NAME as TLS
from engines.doctor.network.tls import (
    check_tls,
    not_tls,
    speaks_tls,
    unencrypted,
    wants_certificate,
)
from engines.endpoints.address import split
from engines.endpoints.credential_sources import CacheToken, SecretError, origin
from engines.endpoints.endpoint import RedisEndpoint
from engines.wire.error_kinds import ERROR_KINDS, REDIS_ERRORS
from engines.wire.reply import PROTOCOL, show_bytes
from engines.workload.namespace import DEFAULT

ANSWER = "answer"
"""Name of the check of the first reply."""
SIGN_IN = "authentication"
"""Name of the check of the account."""

ERROR_LINE = re.compile(rb"-[A-Z]+( |$)")
"""Beginning of an error reply."""

TOO_MANY = "max number of clients reached"
"""Part of Redis' error when maxclients is reached."""

FULL_STEP = (
    "end connections that nobody needs, raise maxclients, or race with fewer writers and readers"
)
"""Next step when maxclients is reached."""

IAM = (
    "for IAM: user id and user name must be the same, the user must belong to the group or ACL of the cluster, this "
    "machine's role must allow elasticache:Connect or memorydb:connect on cluster and user, iam_name must be the "
    "cluster's in lower case, and the clock must be right"
)
"""Next step when an IAM token is refused."""


def sign_in(
    runner: CheckRunner, endpoint: RedisEndpoint, address: str
) -> Generator[Check, None, Redis | None]:
    """Check each layer up to the account. Return a client of the node at `address`, signed in, or None.

    `address` is "host:port" as the servers report it.
    """
    sock = yield from resolve_and_connect(runner, address, endpoint.address_map)
    if sock is None:
        return None
    with sock:
        host, port = sock.getpeername()[:2]
        reached = (str(host), int(port))
        open_again = lambda: open_tcp(*reached)  # noqa: E731
        if endpoint.tls is None:
            answered = yield from _check_plain_answer(runner, sock, open_again)
            if answered is not None:
                yield unencrypted(runner, str(reached[0]))
        else:
            try:
                encrypted = yield from check_tls(
                    runner, sock, endpoint.tls, split(address)[0], open_again
                )
            except OSError:
                yield _no_tls(runner, open_again)
                return None
            if encrypted is None:
                return None
            with encrypted:
                answered = yield from _check_tls_answer(runner, encrypted, open_again)
        if answered is None:
            return None
    return (yield from _check_sign_in(runner, endpoint, address))


def _no_tls(runner: CheckRunner, connect: Callable[[], socket.socket]) -> Check:
    """Return the check of a server that does not answer a TLS handshake or hangs up."""
    try:
        with connect() as sock:
            line = _ping_line(sock)
    except TimeoutError:
        return runner.fail(
            TLS,
            "silent",
            f"takes the connection and says nothing for {CONNECT_WAIT_S:.0f} s, to TLS nor to Redis' own words",
            SILENT_STEP,
        )
    except OSError:
        return _hung_up(runner, TLS)
    if _is_redis(line):
        return not_tls(runner)
    return _not_redis(runner, TLS, line)


def _check_plain_answer(
    runner: CheckRunner, sock: socket.socket, connect: Callable[[], socket.socket]
) -> Checks[bool]:
    """Check that the server answers without TLS."""
    try:
        line = _ping_line(sock)
    except OSError as error:
        if speaks_tls(connect):
            yield _tls_needed(runner)
        elif isinstance(error, TimeoutError):
            yield runner.fail(
                ANSWER,
                "silent",
                f"takes the connection and says nothing for {CONNECT_WAIT_S:.0f} s",
                SILENT_STEP,
            )
        else:
            yield _hung_up(runner, ANSWER)
        return None
    if line[:1] == TLS_ALERT:
        yield _tls_needed(runner)
        return None
    return (yield from _check_answer(runner, line))


TLS_ALERT = b"\x15"
"""Type of a TLS record that reports an error in the preceding bytes (RFC 8446, 5.1)."""


def _tls_needed(runner: CheckRunner) -> Check:
    return runner.fail(
        ANSWER,
        "tls_needed",
        "the server speaks TLS on this port, and telemon is told not to",
        "set tls = true",
    )


def _check_tls_answer(
    runner: CheckRunner, sock: ssl.SSLSocket, connect: Callable[[], socket.socket]
) -> Checks[bool]:
    """Check that the server answers over TLS."""
    try:
        line = _ping_line(sock)
    except TimeoutError:
        yield runner.fail(
            ANSWER,
            "silent",
            f"says nothing for {CONNECT_WAIT_S:.0f} s after the handshake",
            SILENT_STEP,
        )
        return None
    except OSError:
        if wants_certificate(connect):
            yield runner.fail(
                TLS,
                "client_certificate_asked_for",
                "the server wants a certificate of its clients",
                "telemon has none: set tls-auth-clients no at the server (AWS never asks for one)",
            )
        else:
            yield _hung_up(runner, ANSWER)
        return None
    return (yield from _check_answer(runner, line))


def _ping_line(sock: socket.socket) -> bytes:
    """Send PING before signing in and return the first line of the reply. Even a refusal identifies the server."""
    # Not the inline form: some proxies take arrays only, as a race sends them.
    sock.sendall(b"*1\r\n$4\r\nPING\r\n")
    return read_line(sock)


def _is_redis(line: bytes) -> bool:
    """Return whether `line` may be the reply to PING, which a server refuses with many an error."""
    return line.startswith(b"+PONG") or ERROR_LINE.match(line) is not None


def _check_answer(runner: CheckRunner, line: bytes) -> Checks[bool]:
    text = line.decode("utf-8", "replace")
    if not _is_redis(line):
        yield _not_redis(runner, ANSWER, line)
    elif TOO_MANY in text:
        yield runner.fail(ANSWER, "too_many_connections", text[1:], FULL_STEP)
    elif text.startswith("-DENIED"):
        yield runner.fail(
            ANSWER,
            "protected_mode",
            "the server takes no connection from other machines: it is in protected mode",
            "set a password at the server, or bind it to an address",
        )
    else:
        return True
    return None


def _not_redis(runner: CheckRunner, name: str, line: bytes) -> Check:
    return runner.fail(
        name,
        "not_redis",
        f"what answers is not a Redis server: got {show_bytes(line)}",
        ERROR_KINDS[PROTOCOL].next_step,
    )


def _hung_up(runner: CheckRunner, name: str) -> Check:
    return runner.fail(
        name,
        "hung_up",
        "takes the connection and hangs up",
        HUNG_UP_STEP,
    )


def _check_sign_in(
    runner: CheckRunner, endpoint: RedisEndpoint, address: str
) -> Generator[Check, None, Redis | None]:
    try:
        node = client(address, endpoint)
        # A user who may not run PING has signed in nevertheless.
        try:
            node.ping()
        except ResponseError as error:
            if not (isinstance(error, NoPermissionError) or is_unknown_command(error)):
                raise
    except SecretError as error:
        yield runner.fail(SIGN_IN, "no_secret", str(error), NO_SECRET_STEP)
        return None
    except (RedisError, OSError) as error:
        yield refused(runner, SIGN_IN, error, endpoint)
        return None
    yield runner.ok(SIGN_IN, f"as {endpoint.user or 'default'}")
    return node


def refused(
    runner: CheckRunner, name: str, error: Exception, endpoint: RedisEndpoint | None = None
) -> Check:
    """Return the check of an error that is not about a single command."""
    text = str(error)
    if isinstance(error, AuthenticationError):
        return runner.fail(name, *_wrong_account(error, endpoint))
    if TOO_MANY in text:
        return runner.fail(name, "too_many_connections", text, FULL_STEP)
    known = REDIS_ERRORS.get(getattr(error, "status_code", None) or "")
    if known is not None:
        namespace = DEFAULT if endpoint is None else endpoint.namespace
        step = known_step(known, namespace)
        return runner.fail(name, known.problem or "refused_by_server", text, step)
    if isinstance(error, ResponseError):
        return runner.fail(name, "refused_by_server", text, UNKNOWN_ERROR_STEP)
    if isinstance(error, RedisProtocolError):
        return runner.fail(name, "not_redis", text, ERROR_KINDS[PROTOCOL].next_step)
    return runner.fail(
        name,
        "broken_off",
        f"the server stopped answering in the middle of it: {text}",
        BROKEN_OFF_STEP,
    )


def _wrong_account(
    error: AuthenticationError, endpoint: RedisEndpoint | None
) -> tuple[str, str, str]:
    text = str(error)
    if endpoint is not None:
        text = f"user {endpoint.user or 'default'}: {text}"
    if error.status_code == "NOAUTH":
        return (
            "password_needed",
            text,
            REDIS_ERRORS["NOAUTH"].next_step,
        )
    if "without any password" in text or "no password is set" in text:
        return (
            "password_not_wanted",
            text,
            "leave the password out, or set one at the server",
        )
    if endpoint is not None and isinstance(endpoint.secret, CacheToken):
        return ("wrong_password", text, IAM)
    source = f" ({origin(endpoint.secret)})" if endpoint is not None else ""
    return (
        "wrong_password",
        text,
        f"check user and password{source}, that the user is on, and that it belongs to the cluster's user group or ACL",
    )
