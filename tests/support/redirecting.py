"""A way to a Redis server that redirects every GET and SET once it is told to, and a place to lead to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Lock, Thread

from hiredis import Reader, pack_command

HOST = "127.0.0.1"


class Trap:
    """A listener to which nobody should come. It takes every connection and answers +OK to whatever it is told."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.connections = 0
        self.received = b""
        Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            Thread(target=self._answer, args=(sock,), daemon=True).start()

    def _answer(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            while data := sock.recv(65_536):
                self.received += data
                sock.sendall(b"+OK\r\n")


class Redirector:
    """What the ways answer: nothing of their own while `redirect` is empty, else that for every GET and SET."""

    def __init__(self) -> None:
        self.redirect = ""
        self.redirected = 0
        self.named: tuple[str, int] | None = None
        """If set, CLUSTER SLOTS is answered with this one node."""
        self.slots = 0
        """How often CLUSTER SLOTS was asked for while redirecting."""


@contextmanager
def trap() -> Iterator[Trap]:
    with _listening() as listening:
        yield Trap(listening)


@contextmanager
def redirecting(port: int, redirector: Redirector) -> Iterator[int]:
    """A local port that leads to the server at `port`, with the answers of `redirector`."""
    with _listening() as listening:
        Thread(target=_serve, args=(listening, port, redirector), daemon=True).start()
        yield int(listening.getsockname()[1])


@contextmanager
def _listening() -> Iterator[socket.socket]:
    with closing(socket.socket()) as listening:
        listening.bind((HOST, 0))
        listening.listen(64)
        try:
            yield listening
        finally:
            # Closing alone would leave the thread waiting in accept.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, port: int, redirector: Redirector) -> None:
    while True:
        try:
            near, _ = listening.accept()
        except OSError:
            return
        far = socket.create_connection((HOST, port), 3)
        far.settimeout(None)
        lock = Lock()
        Thread(target=_commands, args=(near, far, lock, redirector), daemon=True).start()
        Thread(target=_replies, args=(far, near, lock), daemon=True).start()


def _commands(near: socket.socket, far: socket.socket, lock: Lock, redirector: Redirector) -> None:
    reader = Reader()
    in_commands = False
    with suppress(OSError):
        while data := near.recv(65_536):
            # The doctor's first words are an inline command, or a TLS handshake. From the first command in the
            # protocol's own form on there are only such: a pipeline may be cut anywhere, even before a "$".
            in_commands = in_commands or data[:1] == b"*"
            if not in_commands:
                far.sendall(data)
                continue
            reader.feed(data)
            while words := reader.gets():
                name = bytes(words[0]).upper()
                if redirector.redirect and name in (b"GET", b"SET"):
                    redirector.redirected += 1
                    with lock:
                        near.sendall(b"-%b\r\n" % redirector.redirect.encode())
                    continue
                if redirector.named is not None and name == b"CLUSTER":
                    host, number = redirector.named
                    with lock:
                        near.sendall(_one_node(host, number))
                    continue
                if redirector.redirect and name == b"CLUSTER":
                    redirector.slots += 1
                packed: bytes = pack_command(tuple(words))
                far.sendall(packed)
    _end(near, far)


def _one_node(host: str, port: int) -> bytes:
    """Return the reply to CLUSTER SLOTS of a cluster with one node, which owns every slot."""
    node = f"*3\r\n${len(host)}\r\n{host}\r\n:{port}\r\n$40\r\n{'a' * 40}\r\n"
    return f"*1\r\n*3\r\n:0\r\n:16383\r\n{node}".encode()


def _replies(far: socket.socket, near: socket.socket, lock: Lock) -> None:
    with suppress(OSError):
        while data := far.recv(65_536):
            with lock:
                near.sendall(data)
    _end(near, far)


def _end(*sockets: socket.socket) -> None:
    for sock in sockets:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
