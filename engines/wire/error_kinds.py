"""Table of the errors that a race or the doctor may meet: their names in the counts, their meaning, the next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines.errors import DOCTOR_HINT
from engines.wire import mysql_packet, resp
from engines.wire.dialect import MYSQL, REDIS, ConnectionLost, Dialect
from engines.wire.mysql_error_names import ERROR_NAMES, UNKNOWN
from engines.wire.reply import PROTOCOL, REPLY_TOO_LARGE


@dataclass(frozen=True, slots=True)
class KnownError:
    """One row of the table of errors: what an error means, and what the user can do about it.

    `kind` is the last part of the name under which it is counted; empty where the first part is all of it. `problem`
    is the doctor's word for it; empty where the doctor does not meet it. `takes_no_writes` marks the errors of a server
    that was made a replica.

    Two words in braces stand for what the configured namespace decides: {keys} are the names of telemon's keys,
    {other_namespace} is the step to another namespace. `advice` fills them in.
    """

    meaning: str
    next_step: str
    kind: str = ""
    problem: str = ""
    takes_no_writes: bool = False

    def advice(self, keys: str, other_namespace: str) -> tuple[str, str]:
        """Return meaning and next step, with the words of a namespace in them."""
        words = {"{keys}": keys, "{other_namespace}": other_namespace}
        meaning, next_step = self.meaning, self.next_step
        for place, word in words.items():
            meaning, next_step = meaning.replace(place, word), next_step.replace(place, word)
        return meaning, next_step


_MYSQL_FULL = "end connections that nobody needs, raise max_connections, or race with fewer writers and readers"

_OTHER_SIGN_IN = "caching_sha2_password (MySQL) or mysql_native_password (MariaDB)"

_OTHER_PROTOCOL = (
    "check that host and port lead to the server itself and not to another service or a proxy"
)

_FAILOVER = (
    "name the endpoint that takes writes; after a failover its name leads to the new primary"
)

_NO_ROOM = "make room for the server's data; the server's log names the file"

MYSQL_ERRORS: Mapping[int, KnownError] = {
    3: KnownError("the server cannot write to a file", _NO_ROOM, "cannot_write_file"),
    14: KnownError("the server cannot change the size of a file", _NO_ROOM, "cannot_resize_file"),
    20: KnownError("the server's disk is full", _NO_ROOM, "disk_full"),
    1021: KnownError("the server's disk is full", _NO_ROOM, "disk_full"),
    1026: KnownError("the server cannot write to a file", _NO_ROOM, "cannot_write_file"),
    1040: KnownError(
        "the server takes no more connections",
        _MYSQL_FULL,
        "too_many_connections",
        "too_many_connections",
    ),
    1041: KnownError("the server is out of memory", "give the server more memory", "out_of_memory"),
    1044: KnownError(
        "the user has no right to the database; a server does not say whether it is there",
        "check the name in database; an administrator must then run GRANT CREATE, DROP, SELECT, INSERT, UPDATE ON it "
        "TO the user, as `telemon prepare` shows",
        "denied_database",
        "denied_database",
    ),
    1045: KnownError(
        "the server refused user or password",
        "check user and password, and that the account may sign in from this host",
        "access_denied",
        "wrong_password",
    ),
    1049: KnownError(
        "there is no such database",
        "`telemon prepare` makes it; or name another in database",
        "no_database",
        "no_database",
    ),
    1053: KnownError(
        "the server shuts down", "wait until the server runs again", "server_shutdown"
    ),
    1114: KnownError(
        "the disk or the table is full", "make room for the server's data", "table_full"
    ),
    1129: KnownError(
        "the server blocks this host after too many failed connects",
        "an administrator must run FLUSH HOSTS (from MySQL 8.4 on: TRUNCATE TABLE performance_schema.host_cache): too "
        "many connects from here failed; raise max_connect_errors if they fail for a known reason",
        "host_blocked",
        "host_blocked",
    ),
    1130: KnownError(
        "there is no account for this host",
        "make the account for this host: CREATE USER 'name'@'%' or '...'@'this address'",
        "host_not_allowed",
        "host_denied",
    ),
    1142: KnownError(
        "the user lacks a right on the table",
        "`telemon doctor` shows the rights that a race needs",
        "denied",
    ),
    1143: KnownError(
        "the user lacks a right on a column of the table",
        "`telemon doctor` shows the rights that a race needs",
        "denied_column",
    ),
    1146: KnownError("there is no such table", "run `telemon prepare`", "no_such_table"),
    1153: KnownError(
        "the statement is longer than the server takes",
        "race with a smaller batch, or raise max_allowed_packet",
        "packet_too_large",
    ),
    1203: KnownError(
        "the user has no connection left",
        "race with fewer writers and readers, or raise max_user_connections",
        "too_many_user_connections",
        "too_many_connections",
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
        "the user has used up a resource limit",
        "raise the limit that the message names (ALTER USER ... WITH ...), or race with fewer writers and readers",
        "user_limit",
        "too_many_connections",
    ),
    1251: KnownError(
        "the account signs in by an old way that telemon does not know",
        f"give the account a password by {_OTHER_SIGN_IN}",
        "old_sign_in",
        "sign_in_unsupported",
    ),
    1290: KnownError("the server takes no writes", _FAILOVER, "read_only", takes_no_writes=True),
    1524: KnownError(
        "the account signs in by a method that the server does not have, or no longer: mysql_native_password is off in "
        "MySQL 8.4 and gone in 9",
        "an administrator must give the account another one: on MySQL by ALTER USER ... IDENTIFIED WITH "
        "caching_sha2_password BY a new password",
        "unknown_plugin",
        "sign_in_unsupported",
    ),
    1698: KnownError(
        "the account has no password",
        "this account signs in by other means than a password; make one with a password",
        "no_password",
        "wrong_password",
    ),
    1792: KnownError(
        "transactions are read-only for this account or server",
        "name the endpoint that takes writes, or turn transaction_read_only off",
        "read_only_transaction",
    ),
    1820: KnownError(
        "the password has expired",
        "set a new password for the account",
        "password_expired",
        "password_expired",
    ),
    1836: KnownError("the server takes no writes", _FAILOVER, "read_only", takes_no_writes=True),
    1862: KnownError(
        "the password has expired",
        "set a new password for the account",
        "password_expired",
        "password_expired",
    ),
    1927: KnownError(
        "somebody ended the connection at the server",
        "ask the administrator who ran KILL; the connection is opened again",
        "connection_killed",
    ),
    2006: KnownError("the connection broke while it was idle", DOCTOR_HINT, "gone_away"),
    2013: KnownError("the connection broke while a reply was due", DOCTOR_HINT, "lost_connection"),
    2026: KnownError("the connection cannot be encrypted", DOCTOR_HINT, "tls_failed"),
    2027: KnownError(
        "the server sent what is not in MySQL's protocol",
        _OTHER_PROTOCOL
        + ": MySQL's port is usually 3306, and 33060 is that of another protocol, X",
        "malformed_packet",
        "not_mysql",
    ),
    2059: KnownError(
        "telemon does not know the account's way to sign in, or not without TLS",
        "without TLS set tls = true, which the account's way to sign in may need; with TLS make an account that signs "
        f"in by {_OTHER_SIGN_IN}",
        "sign_in_unsupported",
        "sign_in_unsupported",
    ),
    3024: KnownError(
        "the statement took longer than the server allows",
        "raise max_execution_time at the server, or race with a smaller batch",
        "statement_timeout",
    ),
    3032: KnownError(
        "the server is in offline mode: it takes connections of administrators only",
        "an administrator must run SET GLOBAL offline_mode = OFF",
        "offline_mode",
        "offline_mode",
    ),
    2061: KnownError(
        "the server asks for the password in a form that others could read or reverse",
        "set tls = true and have the certificate verified; on MySQL server_public_key will do for "
        "caching_sha2_password, and on MariaDB an account that signs in by mysql_native_password",
        "unsafe_sign_in",
        "unsafe_sign_in",
    ),
    3118: KnownError(
        "the account is locked",
        "an administrator must run ALTER USER ... ACCOUNT UNLOCK",
        "account_locked",
        "account_locked",
    ),
    3159: KnownError(
        "the server takes no connections without TLS (require_secure_transport is on)",
        "set tls = true",
        "tls_needed",
        "tls_needed",
    ),
    3955: KnownError(
        "the account is locked for a time, after too many wrong passwords",
        "correct the password first; then wait, or have an administrator run ALTER USER ... ACCOUNT UNLOCK",
        "account_locked",
        "account_locked",
    ),
    4031: KnownError(
        "the server ended the connection because it was idle",
        "raise wait_timeout at the server; the connection is opened again",
        "idle_timeout",
    ),
    4150: KnownError(
        "the account is blocked after too many wrong passwords",
        "correct the password first; then an administrator must run FLUSH PRIVILEGES",
        "account_blocked",
        "account_locked",
    ),
    4151: KnownError(
        "the account is locked",
        "an administrator must run ALTER USER ... ACCOUNT UNLOCK",
        "account_locked",
        "account_locked",
    ),
}
"""By error number (error references of MySQL and MariaDB)."""

_REDIRECTED = KnownError(
    "the server sends the request to another node, but is no cluster, or CLUSTER SLOTS does not name that node",
    'if it is part of a cluster, set cluster to "auto" or "on"; `telemon doctor` shows the nodes that a cluster names',
)

REDIS_ERRORS: Mapping[str, KnownError] = {
    "ASK": _REDIRECTED,
    "BUSY": KnownError(
        "the server runs a script that does not end",
        "wait, or have an administrator run SCRIPT KILL",
    ),
    "CLUSTERDOWN": KnownError(
        "a hash slot has no primary, or the node cannot see the cluster",
        "wait for the failover; `telemon doctor` shows the nodes",
    ),
    "CROSSSLOT": KnownError(
        "a request names keys of several hash slots",
        "check that host and port lead to the nodes themselves and not to a proxy",
    ),
    "DENIED": KnownError(
        "the server takes no connection from other machines: it is in protected mode",
        "set a password at the server, or bind it to an address",
        problem="protected_mode",
    ),
    "ERR": KnownError(
        "the server refused the request; its message says why",
        "check that the server is Redis or Valkey 6.0 or later, or compatible; `telemon doctor` shows what it refuses",
    ),
    "LOADING": KnownError(
        "the server still loads its data",
        "wait until the server has loaded its data",
        problem="loading",
    ),
    "MOVED": _REDIRECTED,
    "MASTERDOWN": KnownError(
        "a replica has lost its primary and serves no stale data",
        'wait until the replica reaches its primary again, or set read_from = "primaries"',
    ),
    "MISCONF": KnownError(
        "the server cannot save its data to disk and takes no writes",
        "look into the server's log: its disk is full or not writable; make room, then run BGSAVE there",
    ),
    "NOAUTH": KnownError(
        "the server asks for a password, and none is set",
        "name where the password comes from: password_env, password_file, password_command, password_secret or iam "
        "(and user, if it is not the default user's)",
        problem="password_needed",
    ),
    "NOPERM": KnownError(
        "the user lacks a command or telemon's keys ({keys})",
        "`telemon doctor` shows the rules that an administrator must add, for the keys {keys}",
    ),
    "NOREPLICAS": KnownError(
        "fewer replicas are connected than the server wants for a write",
        "start the missing replicas, or lower min-replicas-to-write at the server",
    ),
    "OOM": KnownError(
        "the server's memory is full",
        "raise maxmemory, or name a server with room; telemon keeps one key per car ({keys})",
    ),
    "READONLY": KnownError("the server is a replica", _FAILOVER, takes_no_writes=True),
    "TRYAGAIN": KnownError(
        "a hash slot moves to another node right now", "nothing: the next operation goes on"
    ),
    "WRONGPASS": KnownError(
        "the server refused user or password, or the user is off",
        "check user and password, that the user is on, and that it belongs to the cluster's user group or ACL",
        problem="wrong_password",
    ),
    "WRONGTYPE": KnownError(
        "a key holds something else than a string",
        "another application uses the keys {keys}: {other_namespace}",
    ),
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
    PROTOCOL: KnownError(
        "the server sent what is not in its protocol; the connection was closed", _OTHER_PROTOCOL
    ),
    REPLY_TOO_LARGE: KnownError(
        "a reply exceeded a limit, which the event names; the connection was closed",
        _OTHER_PROTOCOL,
    ),
    UNEXPECTED_REPLY: KnownError(
        "the server answered with something that is neither the reply nor an error",
        "check that host and port lead to the server itself and not to a proxy",
    ),
    ENGINE_DIED: KnownError(
        "an engine process ended unexpectedly; what it did last is not counted",
        "the result names the process, how it ended and what to do about it: deaths",
    ),
}
"""Kinds that no server chooses, by their names."""


def mysql_error_name(code: int) -> str:
    """Return the name of an error number of MySQL or MariaDB: `table_full` for 1114, `unknown` if it has none here."""
    known = MYSQL_ERRORS.get(code)
    return known.kind if known is not None else ERROR_NAMES.get(code, UNKNOWN)


def describe_mysql_error(code: int) -> str:
    """Return an error number of MySQL or MariaDB with its name, in words: "error 1114, table full"."""
    name = mysql_error_name(code)
    if name == UNKNOWN:
        return f"error {code}, which telemon has no name for"
    return f"error {code}, {name.replace('_', ' ')}"


def mysql_kind(code: int) -> str:
    """Return the kind of an error number of MySQL or MariaDB: `mysql_1213_deadlock`."""
    return f"mysql_{code}_{mysql_error_name(code)}"


ERROR_KINDS: Mapping[str, KnownError] = {
    **{mysql_kind(code): known for code, known in MYSQL_ERRORS.items()},
    **{f"redis_{word.lower()}": known for word, known in REDIS_ERRORS.items()},
    **OTHER_KINDS,
}
"""Every kind that has a name of its own: the keys of `errors` in a result, with their meaning and the next step."""

READ_ONLY_KINDS: Mapping[str, Dialect] = {
    **{mysql_kind(code): MYSQL for code, known in MYSQL_ERRORS.items() if known.takes_no_writes},
    **{
        f"redis_{word.lower()}": REDIS
        for word, known in REDIS_ERRORS.items()
        if known.takes_no_writes
    },
}
"""Kinds after which the connections to servers of that dialect are closed and opened again.

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
        return mysql_kind(answer.code)
    if isinstance(answer, resp.RedisErrorReply):
        code = _FOREIGN.sub("", answer.code.lower()) or "error"
        return f"redis_{code}"[:KIND_CHARACTERS]
    return UNEXPECTED_REPLY
