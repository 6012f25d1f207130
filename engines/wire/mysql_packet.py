"""Packets of the MySQL protocol: framing, and the content of each kind of packet. No I/O.

Protocol 4.1, without session tracking (MySQL internals manual, "Generic Response Packets", "Text Protocol").
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from engines.wire.reply import ErrorReply, ProtocolError

MAX_PAYLOAD_BYTES = 0xFF_FF_FF
"""A packet with this payload size is continued by the next packet, which may be empty. Fixed by the protocol."""

HEADER = struct.Struct("<I")
"""Payload length in the lower three bytes, sequence number in the upper byte."""

MORE_RESULTS = 0x0008
"""SERVER_MORE_RESULTS_EXISTS: the statement has further results."""

_ERROR_BYTES = 3
"""Least size of an error packet: its first byte and the error number."""

NULL = 0xFB
"""Marks a NULL value in place of a length."""
_SHORT, _INT24, _LONG = 0xFC, 0xFD, 0xFE

read_status = struct.Struct("<HH").unpack_from
"""Unpacks status flags and number of warnings, as they stand in OK and EOF packets."""

ANY = -1
"""Placeholder for the sequence number of a reply's first packet, which follows the last packet of the statement: 1, or
more for a statement of several packets."""


class Ok(NamedTuple):
    """Reply to a statement without rows.

    `affected_rows` is not a number of rows: an upsert counts 1 for an insert, 2 for a change, 0 for neither.
    """

    affected_rows: int
    insert_id: int
    status: int
    warnings: int


@dataclass(frozen=True, slots=True)
class MySQLErrorReply(ErrorReply):
    """Error packet. `sqlstate` is empty if the server sends none."""

    code: int
    sqlstate: str
    message: str


Row = tuple[bytes | None, ...]
"""Values as text; None for NULL."""


class IncompletePacket(Exception):  # noqa: N818  (not an error: the rest is still to come)
    """A packet is not complete yet: at least `size_bytes` more bytes are needed."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes


def read_packet(data: bytes, at: int, number: int) -> tuple[bytes, int, int]:
    """Return the payload of the packet at `at`, the offset of its end, and the next sequence number.

    The parts of a payload of 16 MiB or more are joined. Raises IncompletePacket if bytes are missing, and ProtocolError
    for a wrong sequence number.
    """
    parts: list[bytes] = []
    while True:
        begin = at + 4
        missing = begin - len(data)
        if missing > 0:
            raise IncompletePacket(missing)
        header: int = HEADER.unpack_from(data, at)[0]
        size, received = header & MAX_PAYLOAD_BYTES, header >> 24
        at = begin + size
        missing = at - len(data)
        if missing > 0:
            raise IncompletePacket(missing)
        # A server that takes no more connections or shuts down sends an error packet out of
        # sequence, some with number 0, some with 1. What it says matters more than its number.
        if (
            received != number
            and (number != ANY or received == 0)
            and (parts or not data.startswith(b"\xff", begin, at))
        ):
            due = "1" if number == ANY else str(number)
            raise sequence_error(f"packet {received} came where {due} was due")
        number = received + 1 & 0xFF
        if size < MAX_PAYLOAD_BYTES:
            if not parts:
                return data[begin:at], at, number
            parts.append(data[begin:at])
            return b"".join(parts), at, number
        parts.append(data[begin:at])


def read_length(payload: bytes, at: int) -> tuple[int, int]:
    """Return the length-encoded integer at `at` and the offset of its end.

    Raises ProtocolError if there is none, and IndexError if `at` is the end of the payload.
    """
    first = payload[at]
    at += 1
    if first < NULL:
        return first, at
    if first == _SHORT:
        end = at + 2
    elif first == _INT24:
        end = at + 3
    elif first == _LONG:
        end = at + 8
    else:
        raise sequence_error(f"a length begins with byte {first}")
    if end > len(payload):
        raise sequence_error("a packet ends within a length")
    return int.from_bytes(payload[at:end], "little"), end


def read_row(payload: bytes, columns: int) -> Row:
    """Return the values of a row packet with `columns` columns.

    Raises ProtocolError if its size does not match, and IndexError if it ends before a column, of which the caller
    makes a ProtocolError.
    """
    values: list[bytes | None] = []
    at = 0
    for _ in range(columns):
        length = payload[at]
        if length < NULL:
            at += 1
        elif length == NULL:
            at += 1
            values.append(None)
            continue
        else:
            length, at = read_length(payload, at)
        end = at + length
        values.append(payload[at:end])
        at = end
    if at != len(payload):
        raise sequence_error(f"a row of {columns} columns is not as long as its packet")
    return tuple(values)


def read_ok(payload: bytes) -> Ok:
    """Parse an OK packet; raise ProtocolError if the statement has further results."""
    affected_rows, at = read_length(payload, 1)
    insert_id, at = read_length(payload, at)
    status, warnings = read_status(payload, at)
    reject_more_results(status)
    return Ok(affected_rows, insert_id, status, warnings)


def read_error(payload: bytes) -> MySQLErrorReply:
    """Parse an error packet. Raises ProtocolError if it has no error number."""
    if len(payload) < _ERROR_BYTES:
        raise sequence_error("an error packet ends before its number does")
    code = int.from_bytes(payload[1:3], "little")
    sqlstate, message = b"", payload[3:]
    if message.startswith(b"#"):
        sqlstate, message = message[1:6], message[6:]
    return MySQLErrorReply(
        code, sqlstate.decode("ascii", "replace"), message.decode("utf-8", "replace")
    )


def reject_more_results(status: int) -> None:
    """Raise ProtocolError if the status flags announce a further result."""
    if status & MORE_RESULTS:
        raise sequence_error("the statement has more than one result")


def sequence_error(why: str) -> ProtocolError:
    """Return a ProtocolError that says `why` the reply cannot be read."""
    return ProtocolError(f"MySQL's reply cannot be read: {why}; the connection must be opened anew")
