"""Names for what goes wrong: the kinds under which errors are counted."""

from __future__ import annotations

from typing import Any

from engines.link import Lost
from engines.wire import mysql, resp

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

DEMOTED = frozenset({"mysql_1290_read_only", "mysql_1836_read_only", "redis_readonly"})
"""What a server says that takes no writes any more: its name may already lead to the one that has taken its place."""


def kind_of(answer: Any) -> str:
    """The kind of an answer that is an error: `mysql_1213_deadlock`, `redis_clusterdown`, `redis_lost_connection`."""
    if isinstance(answer, Lost):
        return answer.kind
    if isinstance(answer, mysql.ServerError):
        name = MYSQL_KINDS.get(answer.code)
        return f"mysql_{answer.code}_{name}" if name else f"mysql_{answer.code}"
    if isinstance(answer, resp.ServerError):
        return f"redis_{answer.code.lower()}"
    return "unexpected_reply"
