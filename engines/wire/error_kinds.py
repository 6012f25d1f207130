"""Table of the errors that a race or the doctor may meet: their names in the counts, their meaning, the next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines.errors import DOCTOR_HINT
from engines.wire import mysql_packet, resp
from engines.wire.dialect import MYSQL, REDIS, ConnectionLost


@dataclass(frozen=True, slots=True)
class KnownError:
    """One row of the table of errors: what an error means, and what the user can do about it.

    `kind` is the last part of the name under which it is counted; empty where the number alone is the name. `problem`
    is the doctor's word for it; empty where the doctor does not meet it. `takes_no_writes` marks the errors of a
    server that was made a replica.
    """

    meaning: str
    next_step: str
    kind: str = ""
    problem: str = ""
    takes_no_writes: bool = False


_MYSQL_FULL = "end connections that nobody needs, raise max_connections, or race with fewer writers and readers"

_FAILOVER = (
    "name the endpoint that takes writes; after a failover its name leads to the new primary"
)

MYSQL_ERRORS: Mapping[int, KnownError] = {
    1040: KnownError(
        "the server takes no more connections",
        _MYSQL_FULL,
        "too_many_connections",
        "too_many_connections",
    ),
    1044: KnownError(
        "the database is not there, or the user has no right to it",
        "the database is not there, or the user has no right to it; `telemon prepare` shows the statements that an "
        "administrator must run",
        problem="denied_database",
    ),
    1045: KnownError(
        "the server refused user or password",
        "check user and password, and that the account may sign in from this host",
        problem="wrong_password",
    ),
    1049: KnownError(
        "there is no such database",
        "`telemon prepare` makes it; or name another in database",
        problem="no_database",
    ),
    1114: KnownError(
        "the disk or the table is full", "make room for the server's data", "table_full"
    ),
    1129: KnownError(
        "the server blocks this host after too many failed connects",
        "an administrator must run FLUSH HOSTS: too many connects from here failed",
        problem="host_blocked",
    ),
    1130: KnownError(
        "there is no account for this host",
        "make the account for this host: CREATE USER 'name'@'%' or '...'@'this address'",
        problem="host_denied",
    ),
    1142: KnownError(
        "the user lacks a right on the table",
        "`telemon doctor` shows the rights that a race needs",
        "denied",
    ),
    1146: KnownError("there is no such table", "run `telemon prepare`", "no_such_table"),
    1203: KnownError(
        "the user has no connection left", _MYSQL_FULL, problem="too_many_connections"
    ),
    1205: KnownError(
        "a row was locked for too long",
        "look for other users of the table; long transactions hold locks",
        "lock_wait_timeout",
    ),
    1213: KnownError(
        "the server ended one of two transactions that waited for each other",
        "nothing: the next operation goes on; fewer writers meet less often",
        "deadlock",
    ),
    1226: KnownError(
        "the user has used up a resource limit", _MYSQL_FULL, problem="too_many_connections"
    ),
    1290: KnownError("the server takes no writes", _FAILOVER, "read_only", takes_no_writes=True),
    1698: KnownError(
        "the account has no password",
        "this account signs in by other means than a password; make one with a password",
        problem="wrong_password",
    ),
    1820: KnownError(
        "the password has expired",
        "set a new password for the account",
        problem="password_expired",
    ),
    1836: KnownError("the server takes no writes", _FAILOVER, "read_only", takes_no_writes=True),
    1862: KnownError(
        "the password has expired",
        "set a new password for the account",
        problem="password_expired",
    ),
    2006: KnownError("the connection broke while it was idle", DOCTOR_HINT, "gone_away"),
    2013: KnownError("the connection broke while a reply was due", DOCTOR_HINT, "lost_connection"),
    2059: KnownError(
        "the account's way to sign in needs TLS",
        "set tls = true: this account's way to sign in is possible only over TLS",
        problem="sign_in_needs_tls",
    ),
    2061: KnownError(
        "the server asks for the password in a form that others could read or reverse",
        "set tls = true and have the certificate verified, or give the account a method of challenge and response "
        "(mysql_native_password, caching_sha2_password with server_public_key)",
        "unsafe_sign_in",
        "unsafe_sign_in",
    ),
    3118: KnownError(
        "the account is locked",
        "an administrator must run ALTER USER ... ACCOUNT UNLOCK",
        problem="account_locked",
    ),
    3159: KnownError(
        "the server takes no connections without TLS",
        "set tls = true: the server, or this account, refuses connections that are not encrypted",
        problem="tls_needed",
    ),
    4151: KnownError(
        "the account is locked",
        "an administrator must run ALTER USER ... ACCOUNT UNLOCK",
        problem="account_locked",
    ),
}
"""By error number (error references of MySQL and MariaDB). A row with a `kind` gives the error a readable name; without
one it is counted as `mysql_` and its number."""

_REDIRECTED = KnownError(
    "the server sends the request to another node, but is no cluster, or CLUSTER SLOTS does not name that node",
    'if it is part of a cluster, set cluster to "auto" or "on"; `telemon doctor` shows the nodes that a cluster names',
)

REDIS_ERRORS: Mapping[str, KnownError] = {
    "ASK": _REDIRECTED,
    "CLUSTERDOWN": KnownError(
        "a hash slot has no primary, or the node cannot see the cluster",
        "wait for the failover; `telemon doctor` shows the nodes",
    ),
    "LOADING": KnownError(
        "the server still loads its data",
        "wait until the server has loaded its data",
        problem="loading",
    ),
    "MOVED": _REDIRECTED,
    "NOPERM": KnownError(
        "the user lacks a command or the keys telemon:*",
        "`telemon doctor` shows the rules that an administrator must add",
    ),
    "OOM": KnownError(
        "the server's memory is full",
        "raise maxmemory, or name a server with room; telemon keeps one key per car",
    ),
    "READONLY": KnownError("the server is a replica", _FAILOVER, takes_no_writes=True),
}
"""By the first word of an error reply. Other replies are counted as `redis_` and their first word too."""

ENGINE_DIED = "engine_died"
"""The kind under which a frame counts an engine process that ended unexpectedly. It is a key of the JSON result."""

UNEXPECTED_REPLY = "unexpected_reply"

OTHER_KINDS: Mapping[str, KnownError] = {
    MYSQL.cannot_connect: KnownError("no connection could be opened", DOCTOR_HINT),
    MYSQL.timed_out: KnownError("no reply came in time; the connection was closed", DOCTOR_HINT),
    REDIS.cannot_connect: KnownError("no connection could be opened", DOCTOR_HINT),
    REDIS.connection_lost: KnownError("the connection broke while a reply was due", DOCTOR_HINT),
    REDIS.gone_away: KnownError("the connection broke while it was idle", DOCTOR_HINT),
    REDIS.timed_out: KnownError("no reply came in time; the connection was closed", DOCTOR_HINT),
    UNEXPECTED_REPLY: KnownError(
        "the server answered with something that is neither the reply nor an error",
        "check that host and port lead to the server itself and not to a proxy",
    ),
    ENGINE_DIED: KnownError(
        "an engine process ended unexpectedly",
        "look for the out-of-memory killer in the system's log; what the process did last is not counted",
    ),
}
"""Kinds that no server chooses, by their names."""


def _mysql_kind(code: int) -> str:
    known = MYSQL_ERRORS.get(code)
    return f"mysql_{code}_{known.kind}" if known and known.kind else f"mysql_{code}"


ERROR_KINDS: Mapping[str, KnownError] = {
    **{_mysql_kind(code): known for code, known in MYSQL_ERRORS.items() if known.kind},
    **{f"redis_{word.lower()}": known for word, known in REDIS_ERRORS.items()},
    **OTHER_KINDS,
}
"""Every kind that has a name of its own: the keys of `errors` in a result, with their meaning and the next step."""

READ_ONLY_KINDS = frozenset(kind for kind, known in ERROR_KINDS.items() if known.takes_no_writes)
"""Kinds after which the connections are closed and opened again.

The server's name may already lead to the new primary. Without this, writers would stay on the old primary after a
failover.
"""

KIND_CHARACTERS = 40
"""The longest name of a kind that a server chooses. A longer one would not fit into the table and the screen."""

_FOREIGN = re.compile(r"[^a-z0-9_]")


def error_kind(answer: Any) -> str:
    """Return the kind of an error: `mysql_1213_deadlock`, `redis_clusterdown`, `redis_lost_connection`.

    A Redis server may name an error as it likes, so only a-z, 0-9 and _ of the name are kept.
    """
    if isinstance(answer, ConnectionLost):
        return answer.kind
    if isinstance(answer, mysql_packet.MySQLErrorReply):
        return _mysql_kind(answer.code)
    if isinstance(answer, resp.RedisErrorReply):
        code = _FOREIGN.sub("", answer.code.lower()) or "error"
        return f"redis_{code}"[:KIND_CHARACTERS]
    return UNEXPECTED_REPLY
