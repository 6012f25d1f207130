"""Connections to MySQL through PyMySQL: bounded, and with no exceptions but PyMySQL's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from pymysql.err import MySQLError, OperationalError
from pymysql.protocol import MysqlPacket

from engines.wire.reply import describe_violation

MALFORMED = 2027
"""MySQL's client error number for a malformed packet (CR_MALFORMED_PACKET)."""

MAX_SIGN_IN_BYTES = 65_536
"""Size of the largest packet before the sign-in is over."""

MAX_PACKET_BYTES = 0xFF_FF_FE
"""Size of the largest packet after it: one that is not continued by another."""

MAX_REPLY_BYTES = 67_108_864
"""Size of the largest reply, all of its packets included."""

PEEK_S = 0.1
"""Time in seconds to wait for more bytes of what is no packet, to show them."""

_ERROR = 0xFF

if TYPE_CHECKING:
    _Connection = Connection[Cursor]
else:
    _Connection = Connection


class MySQLProtocolError(OperationalError):
    """A server sent what is no packet of MySQL's protocol, or more than a limit."""


class CheckedConnection(_Connection):
    """PyMySQL connection that raises pymysql.MySQLError for whatever a server sends.

    An error packet is read whatever its sequence number is: some servers number those before the greeting from 1, and
    those of a shutdown from 0. `connect` raises RuntimeError and ValueError too, for a way to sign in that needs
    another package or a longer key.
    """

    _signed_in = False
    _reply_bytes = 0
    _last = b""
    """The beginning of the packet that was read last."""

    def connect(self, sock: Any = None) -> None:
        """Connect and sign in. Blocks."""
        with self._checked("a server of MySQL", RuntimeError, ValueError):
            super().connect(sock)
        self._signed_in = True

    def _get_server_information(self) -> None:
        with self._checked("the greeting of MySQL"):
            super()._get_server_information()  # type: ignore[misc]
            # The sign-in reads the version as a number.
            int(self.server_version.partition(".")[0])  # type: ignore[attr-defined]

    def _execute_command(self, command: Any, sql: Any) -> None:
        self._reply_bytes = 0
        super()._execute_command(command, sql)  # type: ignore[misc]

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        with self._checked("the result of a statement"):
            return super()._read_query_result(unbuffered)  # type: ignore[misc]

    def _read_ok_packet(self) -> Any:
        with self._checked("an OK packet"):
            return super()._read_ok_packet()  # type: ignore[misc]

    @contextmanager
    def _checked(self, expected: str, *allowed: type[Exception]) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if isinstance(error, (MySQLError, OSError, *allowed)):
                raise
            raise self._violation(expected, f"{type(error).__name__}: {error}") from error

    def _violation(self, expected: str, why: str) -> MySQLProtocolError:
        """Close the connection and return the error."""
        data = self._last
        self._force_close()  # type: ignore[attr-defined]
        return MySQLProtocolError(MALFORMED, describe_violation(expected, data, why))

    def _read_packet(self, packet_type: type[MysqlPacket] = MysqlPacket) -> MysqlPacket:
        """Return the next packet. Blocks. Raises pymysql.MySQLError, also if it is an error packet."""
        connection: Any = self
        if connection._current_timeout != connection._read_timeout:
            connection._sock.settimeout(connection._read_timeout)
            connection._current_timeout = connection._read_timeout
        header = connection._read_bytes(4)
        size, number = int.from_bytes(header[:3], "little"), header[3]
        limit = MAX_PACKET_BYTES if self._signed_in else MAX_SIGN_IN_BYTES
        self._last = header
        if size > limit:
            self._last += self._peek()
            raise self._violation("a packet of MySQL", f"its size exceeds {limit:,} bytes")
        self._reply_bytes += size
        if self._reply_bytes > MAX_REPLY_BYTES:
            raise self._violation(
                "a packet of MySQL", f"the reply exceeds {MAX_REPLY_BYTES:,} bytes"
            )
        due = connection._next_seq_id
        data = connection._read_bytes(size) if number == due else self._peek()
        self._last = header + data
        if number != due:
            if data[:1] != bytes([_ERROR]):
                raise self._violation(
                    "a packet of MySQL", f"packet {number} came where {due} was due"
                )
            data = connection._read_bytes(size)
        connection._next_seq_id = (number + 1) % 256
        if not data:
            raise self._violation("a packet of MySQL", "it is empty")
        packet = packet_type(data, connection.encoding)
        if packet.is_error_packet():
            if connection._result is not None and connection._result.unbuffered_active:
                connection._result.unbuffered_active = False
            packet.raise_for_error()
        return packet

    def _peek(self) -> bytes:
        """Return the bytes that have come after a header, without taking them. Blocks for `PEEK_S` if none have."""
        connection: Any = self
        with suppress(OSError, ValueError):
            connection._current_timeout = PEEK_S
            connection._sock.settimeout(PEEK_S)
            return bytes(connection._rfile.peek(1))
        return b""
