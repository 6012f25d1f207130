"""Servers that send what no real server does, or what only a broken one does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread


def packet(number: int, payload: bytes) -> bytes:
    """A packet of MySQL's protocol."""
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


GREETING = packet(
    0,
    b"\x0a5.5.5-10.11.6-MariaDB\0"
    + b"\x01\0\0\0abcdefgh\0"
    + b"\xfe\xf7\x2d\x02\0\xff\x81\x15"
    + b"\0" * 10
    + b"ijklmnopqrst\0mysql_native_password\0",
)
"""How a MariaDB greets, without TLS."""

OK = b"\0\0\0\x02\0\0\0"

SHORT_GREETING = packet(0, b"\x0a5.7.1\0\x01")
X_PROTOCOL = b"\x05\0\0\0\x0b\x08\x05\x1a\0"
"""What MySQL says first on port 33060."""
SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
FULL = b"\xff\x10\x04#08004Too many connections"
"""Error 1040, as its payload."""

WELCOMED = b"+OK\r\n" * 4
"""What Redis answers to AUTH and the three commands by which telemon says who it is."""

HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def hostile_server(greeting: bytes, *answers: bytes, hang_up: bool = True) -> Iterator[int]:
    """A server that sends `greeting`, answers the requests of a connection with `answers` in turn, and hangs up.

    An empty greeting is not sent: the client speaks first. With `hang_up` false the last answer is repeated. Yields
    the port.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients: list[socket.socket] = []

        def serve(client: socket.socket) -> None:
            with client, suppress(OSError):
                client.settimeout(10)
                client.sendall(greeting)
                if hang_up and not answers:
                    client.shutdown(socket.SHUT_WR)
                for answer in answers:
                    if not client.recv(65_536):
                        return
                    client.sendall(answer)
                while client.recv(65_536):
                    if answers and hang_up:
                        return
                    if answers:
                        client.sendall(answers[-1])

        def listen() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    clients.append(client)
                    Thread(target=serve, args=(client,), daemon=True).start()

        thread = Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for client in clients:
                client.close()
            thread.join(5)
