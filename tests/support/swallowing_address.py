"""Addresses that swallow what they are sent, as behind a firewall, and names that lead to them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

FULL_AFTER_S = 0.3
"""A connection that loopback has not taken after this time is not taken at all."""


@contextmanager
def swallowing_address(host: str, port: int = 0) -> Iterator[int]:
    """A port of `host` that takes no connection and refuses none: its backlog is full. Yields the port."""
    with closing(socket.socket()) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(0)
        filling: list[socket.socket] = []
        try:
            while True:
                sock = socket.socket()
                filling.append(sock)
                sock.settimeout(FULL_AFTER_S)
                try:
                    sock.connect(listening.getsockname())
                except TimeoutError:
                    break
            yield int(listening.getsockname()[1])
        finally:
            for sock in filling:
                sock.close()


class Resolver:
    """In the place of `socket.getaddrinfo`: knows `names`, and asks the real one for every other."""

    def __init__(self, **names: tuple[str, ...]) -> None:
        self._names = names
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        found: list[Any] = []
        for ip in self._names.get(host, (host,)):
            found += self._real(ip, port, *args, **kwargs)
        return found
