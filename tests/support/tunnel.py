"""A port on this machine that leads to another one, as ssh -L makes it, and as far away as is wanted."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Thread

HOST = "127.0.0.1"


@contextmanager
def tunnel(port: int, delay_s: float = 0.0) -> Iterator[int]:
    """A local port that leads to `port`, for as long as the context lasts. What goes there is on its way for `delay_s`
    at least."""
    with closing(socket.socket()) as listening:
        listening.bind((HOST, 0))
        listening.listen(64)
        Thread(target=_serve, args=(listening, port, delay_s), daemon=True).start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            # Closing alone would leave the thread waiting in accept.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, port: int, delay_s: float) -> None:
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
        for way in ((near, far, delay_s), (far, near, 0.0)):
            Thread(target=_carry, args=way, daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, delay_s: float) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            if delay_s:
                time.sleep(delay_s)
            target.sendall(data)
    for sock in (source, target):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
