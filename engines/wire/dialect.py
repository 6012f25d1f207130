"""The protocols as the driver sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from engines.wire.mysql import MySQLReplyParser
from engines.wire.resp import RespReplyParser


class ReplyParser(Protocol):
    """Bytes in, replies out; see `engines.wire`."""

    def feed_one(self, data: bytes) -> Any: ...

    def feed_many(self, data: bytes, wanted: int) -> Any: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """A protocol and the names that its broken connections go by in the error counts."""

    make_parser: Callable[[], ReplyParser]
    cannot_connect: str
    """A connection that could not be opened."""
    connection_lost: str
    """A connection that broke while a reply was due."""
    gone_away: str
    """A connection that a request was to be sent on, and that had broken while it was idle."""
    timed_out: str
    """A connection given up because a reply did not come."""


MYSQL = Dialect(
    make_parser=MySQLReplyParser,
    cannot_connect="mysql_2003_cannot_connect",
    connection_lost="mysql_2013_lost_connection",
    gone_away="mysql_2006_gone_away",
    timed_out="mysql_timeout",
)


REDIS = Dialect(
    make_parser=RespReplyParser,
    cannot_connect="redis_cannot_connect",
    connection_lost="redis_lost_connection",
    gone_away="redis_gone_away",
    timed_out="redis_timeout",
)


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The answer to a request whose connection was lost, or never stood: the kind of the error."""

    kind: str
