"""Names for what goes wrong: the kinds under which errors are counted."""

from __future__ import annotations

import re
from typing import Any

from engines.wire import mysql_packet, resp
from engines.wire.dialect import ConnectionLost

MYSQL_KINDS = {
    1040: "too_many_connections",
    1114: "table_full",
    1142: "denied",
    1146: "no_such_table",
    1205: "lock_wait_timeout",
    1213: "deadlock",
    1290: "read_only",
    1836: "read_only",
    2006: "gone_away",
    2013: "lost_connection",
}
"""Error numbers of the MySQL manual (server and client error reference) that a race may meet."""

READ_ONLY_KINDS = frozenset({"mysql_1290_read_only", "mysql_1836_read_only", "redis_readonly"})
"""What a server says that takes no writes any more: its name may already lead to the one that has taken its place."""


KIND_CHARACTERS = 40
"""The longest name of a kind that a server chooses: it becomes a key, a cell of a table and a word on a screen."""

_FOREIGN = re.compile(r"[^a-z0-9_]")


def error_kind(answer: Any) -> str:
    """The kind of an answer that is an error: `mysql_1213_deadlock`, `redis_clusterdown`, `redis_lost_connection`.

    What a Redis server calls its error is anything it likes: only a-z, 0-9 and _ of it are kept.
    """
    if isinstance(answer, ConnectionLost):
        return answer.kind
    if isinstance(answer, mysql_packet.MySQLErrorReply):
        name = MYSQL_KINDS.get(answer.code)
        return f"mysql_{answer.code}_{name}" if name else f"mysql_{answer.code}"
    if isinstance(answer, resp.RedisErrorReply):
        code = _FOREIGN.sub("", answer.code.lower()) or "error"
        return f"redis_{code}"[:KIND_CHARACTERS]
    return "unexpected_reply"
