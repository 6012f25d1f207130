"""Servers that do what no real server does: they drip their answers, or hang up after each of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

HOST = "127.0.0.1"

DRIP_EVERY_S = 0.2
"""Seconds between two bytes: far below every timeout of a single read."""

Answer = Callable[[socket.socket], None]
"""What a server does with a connection; the connection is closed afterwards."""


@dataclass
class HostileServer:
    """A listening port, and the times (monotonic clock) at which it took a connection."""

    port: int
    accepted_s: list[float] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"


@contextmanager
def hostile_server(answer: Answer) -> Iterator[HostileServer]:
    """Serve each connection on a thread of its own, until the end of the block."""
    lock, open_now = Lock(), set[socket.socket]()
    with socket.create_server((HOST, 0), backlog=128) as listener:
        server = HostileServer(listener.getsockname()[1])

        def serve(sock: socket.socket) -> None:
            with suppress(OSError), sock:
                answer(sock)

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with lock:
                    server.accepted_s.append(time.monotonic())
                    open_now.add(sock)
                Thread(target=serve, args=(sock,), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            # Closing alone does not wake a thread that accepts.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            with lock:
                for sock in open_now:
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)


def drip(first: bytes, rest: bytes = b"x") -> Answer:
    """Answer with `first` at once, then with `rest` again and again, one byte at a time."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(first)
        while True:
            for byte in rest:
                sock.sendall(bytes([byte]))
                time.sleep(DRIP_EVERY_S)

    return answer


MYSQL_DRIP = drip(b"\xff\x03\x00\x00\x0a")
"""A greeting of MySQL, a kilobyte long, byte by byte."""

REDIS_DRIP = drip(b"+")
"""A simple string of Redis that does not end, byte by byte."""


def _forward(sock: socket.socket, far: socket.socket) -> None:
    """Pass on what comes over `sock` on a thread, and its end."""

    def run() -> None:
        with suppress(OSError):
            while data := sock.recv(65_536):
                far.sendall(data)
        with suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    Thread(target=run, daemon=True).start()


def relay_then_drip(port: int, replies_bytes: int) -> Answer:
    """Pass everything on to the server at `port`, and its first `replies_bytes` of answers; then drip the others."""

    def answer(sock: socket.socket) -> None:
        with socket.create_connection((HOST, port)) as far:
            _forward(sock, far)
            passed = 0
            while data := far.recv(65_536):
                at_once = data[: max(0, replies_bytes - passed)]
                passed += len(at_once)
                sock.sendall(at_once)
                for byte in data[len(at_once) :]:
                    sock.sendall(bytes([byte]))
                    time.sleep(DRIP_EVERY_S)

    return answer


def relay_and_drip(port: int, dripping: Event, every_s: float) -> Answer:
    """Pass everything on to the server at `port` and back; while `dripping` is set, a byte of its answers `every_s`."""

    def answer(sock: socket.socket) -> None:
        with socket.create_connection((HOST, port)) as far:
            _forward(sock, far)
            while data := far.recv(65_536):
                while data and dripping.is_set():
                    sock.sendall(data[:1])
                    data = data[1:]
                    time.sleep(every_s)
                sock.sendall(data)

    return answer


def hang_up_after_each_reply(port: int) -> Answer:
    """Pass one connection's requests on to the Redis server at `port`; close it after the first reply."""

    def answer(sock: socket.socket) -> None:
        with socket.create_connection((HOST, port)) as far:
            while data := sock.recv(65_536):
                far.sendall(data)
                sock.sendall(far.recv(65_536))
                if b"AUTH" not in data:
                    return

    return answer
