"""A proxy in front of a MySQL server that answers telemon's session settings itself and does not pass them on, as if
telemon had not sent them. Everything else goes through."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Thread

HOST = "127.0.0.1"

QUERY = 0x03

AUTOCOMMIT = 0x0002
"""Status flag of a session in which each statement commits itself."""


@contextmanager
def swallowing_proxy(
    port: int, *, flags: int = AUTOCOMMIT, error: int | None = None
) -> Iterator[int]:
    """A local port that leads to the MySQL server at `port`. It claims the status `flags` for the settings, or answers
    them with the error number `error`."""
    ok = b"\x00\x00\x00" + flags.to_bytes(2, "little") + b"\x00\x00"
    answer = ok if error is None else b"\xff" + error.to_bytes(2, "little") + b"#HY000no such thing"
    with closing(socket.create_server((HOST, 0), backlog=64)) as listening:
        Thread(target=_serve, args=(listening, port, answer), daemon=True).start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, port: int, answer: bytes) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        server = socket.create_connection((HOST, port), 3)
        for sock in (client, server):
            sock.settimeout(None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Thread(target=_requests, args=(client, server, answer), daemon=True).start()
        Thread(target=_replies, args=(server, client), daemon=True).start()


def _requests(client: socket.socket, server: socket.socket, answer: bytes) -> None:
    with suppress(OSError, EOFError):
        while True:
            header = _exactly(client, 4)
            packet = _exactly(client, int.from_bytes(header[:3], "little"))
            if packet[:1] == bytes([QUERY]) and b"sql_mode" in packet:
                client.sendall(len(answer).to_bytes(3, "little") + b"\x01" + answer)
            else:
                server.sendall(header + packet)
    _shut(client, server)


def _replies(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(65_536):
            client.sendall(data)
    _shut(client, server)


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        data = sock.recv(size - len(parts))
        if not data:
            raise EOFError
        parts += data
    return bytes(parts)


def _shut(*socks: socket.socket) -> None:
    for sock in socks:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
