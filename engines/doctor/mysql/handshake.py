"""Initial packet of a MySQL server, sent before sign-in."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from engines.doctor.network.read import read_exactly, read_some
from engines.wire.reply import show_bytes

CLIENT_PROTOCOL_41, CLIENT_SSL, CLIENT_SECURE_CONNECTION = 0x0200, 0x0800, 0x8000
"""Capability flags of MySQL's client/server protocol."""

ERROR, VERSION_10 = 0xFF, 0x0A
"""First byte of an error packet, and of Protocol::HandshakeV10."""

LARGEST_BYTES = 4096
"""Largest initial packet in bytes. A larger length means that the server is not MySQL."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """Initial packet. `offers_tls` says whether the server supports encryption."""

    version: str
    offers_tls: bool


@dataclass(frozen=True, slots=True)
class HandshakeError:
    """Error packet sent instead of the initial packet."""

    code: int
    message: str


class NotMySQLError(Exception):
    """The server uses another protocol. The message says what came instead of an initial packet."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"got {show_bytes(data)}")


def read_handshake(sock: socket.socket) -> Handshake | HandshakeError:
    """Read the initial packet.

    An error packet is read whatever its sequence number is: some servers begin with 1.

    Raises TimeoutError for a silent server, ConnectionError for one that hangs up, and NotMySQLError.
    """
    header = read_exactly(sock, 4)
    size, number = int.from_bytes(header[:3], "little"), header[3]
    if not 3 <= size <= LARGEST_BYTES:
        raise NotMySQLError(header + read_some(sock))
    packet = read_exactly(sock, 1)
    if number != 0 and packet[0] != ERROR:
        raise NotMySQLError(header + packet + read_some(sock))
    packet += read_exactly(sock, size - 1)
    if packet[0] == ERROR:
        (code,) = struct.unpack_from("<H", packet, 1)
        message = packet[3:]
        if message[:1] == b"#":
            message = message[6:]
        return HandshakeError(code, message.decode("utf-8", "replace"))
    version, end, rest = packet[1:].partition(b"\0")
    if packet[0] != VERSION_10 or not end or len(rest) < 15:
        raise NotMySQLError(header + packet)
    # Connection id, 8 bytes of salt, a filler; then the lower half of the capabilities.
    (capabilities,) = struct.unpack_from("<H", rest, 13)
    version_text = version.decode("ascii", "replace").removeprefix("5.5.5-")
    return Handshake(version_text, bool(capabilities & CLIENT_SSL))


def ask_for_tls(sock: socket.socket) -> None:
    """Send SSLRequest. TLS begins after it."""
    flags = CLIENT_PROTOCOL_41 | CLIENT_SSL | CLIENT_SECURE_CONNECTION
    body = struct.pack("<IIB23x", flags, 0xFFFFFF, 45)
    sock.sendall(len(body).to_bytes(3, "little") + b"\x01" + body)
