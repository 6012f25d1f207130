"""A port on this machine that leads to another one, as ssh -L makes it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Thread

HOST = "127.0.0.1"


@contextmanager
def tunnel(port: int) -> Iterator[int]:
    """A local port that leads to `port`, for as long as the context lasts."""
    with closing(socket.socket()) as listening:
        listening.bind((HOST, 0))
        listening.listen(64)
        Thread(target=_serve, args=(listening, port), daemon=True).start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            # Closing alone would leave the thread waiting in accept.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, port: int) -> None:
    while True:
        try:
            near, _ = listening.accept()
        except OSError:
            return
        try:
            far = socket.create_connection((HOST, port), 3)
            far.settimeout(None)
        except OSError:
            near.close()
            continue
        for source, target in ((near, far), (far, near)):
            Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for sock in (source, target):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
