"""What the replies of every protocol have in common."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Incomplete(Enum):
    """The type of `INCOMPLETE`, so that `is INCOMPLETE` narrows a union."""

    INCOMPLETE = "incomplete"


INCOMPLETE: Final = Incomplete.INCOMPLETE
"""Not all replies that are due have come: what came is kept, feed what comes next."""


class ProtocolError(Exception):
    """The server sent what its protocol does not allow, or more than was asked for.

    From here on nobody knows which reply belongs to which request: the connection must be opened
    anew.
    """


class ErrorReply:
    """A server's refusal of one request: a value among the replies, never raised.

    Each protocol has its own.
    """

    __slots__ = ()
