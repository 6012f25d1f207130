"""Protocols as the driver sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from engines.wire.mysql import MySQLReplyParser
from engines.wire.resp import RespReplyParser


class ReplyParser(Protocol):
    """Incremental parser of the replies of one connection; see `wire.mysql` and `wire.resp`."""

    def feed_one(self, data: bytes) -> Any:
        """Feed `data` while one reply is expected; return the reply, or `INCOMPLETE`."""

    def feed_many(self, data: bytes, wanted: int) -> Any:
        """Feed `data` while `wanted` replies are expected; return all of them, or `INCOMPLETE`."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A protocol: its parser, and the error kinds under which failures of its connections are counted."""

    make_parser: Callable[[], ReplyParser]
    """Creates the parser for a new connection."""
    speaks: str
    """What a server of this protocol sends, in words."""
    cannot_connect: str
    """The connection could not be opened."""
    connection_lost: str
    """The connection broke while a reply was expected."""
    gone_away: str
    """The connection had broken while idle, which a failed send has shown."""
    timed_out: str
    """The connection was closed because a reply did not arrive in time."""
    farewell: bytes = b""
    """What a client sends before it closes a connection; empty if it just closes it."""


MYSQL = Dialect(
    make_parser=MySQLReplyParser,
    speaks="a reply of MySQL",
    cannot_connect="mysql_2003_cannot_connect",
    connection_lost="mysql_2013_lost_connection",
    gone_away="mysql_2006_gone_away",
    timed_out="mysql_timeout",
    # COM_QUIT: without it the server counts an aborted client.
    farewell=b"\x01\x00\x00\x00\x01",
)


REDIS = Dialect(
    make_parser=RespReplyParser,
    speaks="a reply of Redis",
    cannot_connect="redis_cannot_connect",
    connection_lost="redis_lost_connection",
    gone_away="redis_gone_away",
    timed_out="redis_timeout",
)


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """Answer to a request whose connection broke or was never open, with the error kind."""

    kind: str

    @property
    def may_be_applied(self) -> bool:
        """Return whether the request may have been sent, so that the server may execute it, now or later."""
        return self.kind not in (MYSQL.cannot_connect, REDIS.cannot_connect)
