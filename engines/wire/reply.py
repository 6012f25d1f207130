"""Types that the replies of all protocols share."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Incomplete(Enum):
    """Type of `INCOMPLETE`: an enum, so that `is INCOMPLETE` narrows a union for mypy."""

    INCOMPLETE = "incomplete"


INCOMPLETE: Final = Incomplete.INCOMPLETE
"""Not all expected replies are complete. The parser has kept the bytes; feed it the next ones."""


class ProtocolError(Exception):
    """The server violated its protocol or sent more than was requested.

    After this error it is unknown which reply belongs to which request: the connection must be closed and opened again.
    """


class ErrorReply:
    """Base class of a server's error reply to one request: a value among the replies, never raised.

    Each protocol has its own subclass.
    """

    __slots__ = ()
