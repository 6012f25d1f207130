"""Types that the replies of all protocols share."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Incomplete(Enum):
    """Type of `INCOMPLETE`: an enum, so that `is INCOMPLETE` narrows a union for mypy."""

    INCOMPLETE = "incomplete"


INCOMPLETE: Final = Incomplete.INCOMPLETE
"""Not all expected replies are complete. The parser has kept the bytes; feed it the next ones."""


PROTOCOL, REPLY_TOO_LARGE = "protocol", "reply_too_large"
"""Kinds under which the two errors below are counted. They are keys of the JSON result."""


class ProtocolError(Exception):
    """The server violated its protocol or sent more than was requested.

    After this error it is unknown which reply belongs to which request: the connection must be closed and opened again.
    """

    kind = PROTOCOL
    """Name under which the error is counted."""


class ReplyTooLargeError(ProtocolError):
    """A reply exceeds a limit, which the message names. What is left of it is not read."""

    kind = REPLY_TOO_LARGE


MAX_REPLY_BYTES = 1_048_576
"""Size of the largest reply to a request of the race. Its own replies have up to 300 bytes. A higher value lets a
server fill the memory of an engine process."""

SHOWN_BYTES = 48
"""How many bytes of a reply that cannot be read are shown."""


def show_bytes(data: bytes) -> str:
    """Return the first bytes of `data`, escaped, and how many there are if not all are shown."""
    if not data:
        return "nothing"
    shown = repr(bytes(data[:SHOWN_BYTES]))
    return shown if len(data) <= SHOWN_BYTES else f"{shown}... ({len(data):,} bytes)"


def describe_violation(expected: str, data: bytes, error: object) -> str:
    """Return in one line what was expected, which bytes came instead, and why they cannot be read."""
    why = " ".join(str(error).split())
    return f"expected {expected}, got {show_bytes(data)}" + (f" ({why})" if why else "")


class ErrorReply:
    """Base class of a server's error reply to one request: a value among the replies, never raised.

    Each protocol has its own subclass.
    """

    __slots__ = ()
