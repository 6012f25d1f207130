"""A MySQL server that greets, asks for the password by a method of its choice, and keeps all that it is sent."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread

SALT = b"12345678abcdefghijkl"

RSA_KEY = b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtfYlZASHyEIQPQ1GJEer
zKr9+Fng87Z1ElaLMTMKPgryWjIMxTTJnl7AlCOfKZconLwBSzghPiJ137lZ8jKC
E8CvO5NE2ADID0W9TmMBREccXfdrNOUq3OV/lhwpUUigZSts+E6O9/ezDwKoeK6z
DREI4wJxstXm/bHLV3vnUYZX0u5sjbfmAtnJH6GGfaOigJ1RJmAXTfpaJ2L7QLTv
/4/QIn65xysAgqdXXtWbbh7ze/5oqTUSQFqazxcjjw6GU1vA9xsEsyMT3kyCksC0
Ui+tf0IQdf+lilnvqlxIWL3uc9yMASVXQsK0KvPtiQWfip6F/XEBV30iFxHZohj3
qQIDAQAB
-----END PUBLIC KEY-----
"""
"""A key that this server sends for its own."""

CAPABILITIES = 0x0008A20F
"""Protocol 4.1, secure connection, plugin authentication; no TLS."""


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload


def greeting(method: bytes, capabilities: int = CAPABILITIES) -> bytes:
    """Protocol::HandshakeV10 with `method` as the default one."""
    return packet(
        0,
        b"\x0a8.0.99-hostile\0"
        + struct.pack("<I", 7)
        + SALT[:8]
        + b"\0"
        + struct.pack("<H", capabilities & 0xFFFF)
        + b"\xff"
        + struct.pack("<H", 2)
        + struct.pack("<H", capabilities >> 16)
        + bytes([len(SALT) + 1])
        + bytes(10)
        + SALT[8:]
        + b"\0"
        + method
        + b"\0",
    )


@dataclass
class HostileMySQL:
    """The server: `method` stands in the greeting, `switch` (if any) is asked for afterwards.

    `received` is what clients sent, a chunk each.
    """

    method: bytes
    switch: bytes = b""
    port: int = 0
    received: list[bytes] = field(default_factory=list)
    connections: int = 0

    def serve(self, sock: socket.socket) -> None:
        self.connections += 1
        sock.settimeout(3)
        with sock, suppress(OSError):
            sock.sendall(greeting(self.method))
            self._receive(sock)
            number = 2
            if self.switch:
                sock.sendall(packet(number, b"\xfe" + self.switch + b"\0" + SALT + b"\0"))
                self._receive(sock)
                number += 2
            if (self.switch or self.method) == b"caching_sha2_password":
                sock.sendall(packet(number, b"\x01\x04"))  # "send the whole password"
                self._receive(sock)
                number += 2
            sock.sendall(packet(number, b"\x01" + RSA_KEY))
            self._receive(sock)
            self._receive(sock)

    def _receive(self, sock: socket.socket) -> None:
        data = sock.recv(65_536)
        if not data:
            raise ConnectionError
        self.received.append(data)


@contextmanager
def hostile_mysql(method: bytes, switch: bytes = b"") -> Iterator[HostileMySQL]:
    """Serve on 127.0.0.1 as long as the context lasts."""
    server = HostileMySQL(method, switch)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        listener.settimeout(0.1)
        ended = False

        def accept() -> None:
            while not ended:
                with suppress(OSError):
                    sock, _ = listener.accept()
                    Thread(target=server.serve, args=(sock,), daemon=True).start()

        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            ended = True
            thread.join(5)
