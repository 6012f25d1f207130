"""What every protocol's replies have in common."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Incomplete(Enum):
    """The type of `INCOMPLETE`, so that `is INCOMPLETE` narrows a union."""

    INCOMPLETE = "incomplete"


INCOMPLETE: Final = Incomplete.INCOMPLETE
"""Not all of the outstanding replies are in yet: what came is kept, feed what comes next."""


class ProtocolError(Exception):
    """The server sent what the protocol does not allow, or more than was asked for.

    Which reply belongs to which request is unknown from here on: the connection has to be opened anew.
    """


class ErrorReply:
    """A server's refusal of one request: a value among the replies, never raised. Each protocol has its own."""

    __slots__ = ()
