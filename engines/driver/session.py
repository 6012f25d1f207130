"""Sessions of a lane and their connections.

A session is what a user of a lane counts as one of its connections. It runs one operation at a time, over one or more
network connections.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from socket import socket
from ssl import SSLSocket
from time import perf_counter_ns
from typing import Any, TypeAlias

from engines.driver.outcome import Completed, Failed
from engines.driver.tls_socket import TlsSocket
from engines.wire.dialect import Dialect, ReplyParser

RECEIVE_BYTES = 448
"""Bytes read from a socket per call until a reply is larger. The reply to a read fits.

Performance: the buffer is still one of Python's small objects (512 bytes, obmalloc.c), which halves the cost of a large
buffer that is cut to its length afterwards.
"""


LARGE_RECEIVE_BYTES = 65_536
"""Bytes read per call after a reply did not fit into `RECEIVE_BYTES`. Also used with TLS, where a record must not be
read in pieces."""


STABLE_NS = 1_000_000_000
"""A connection that breaks within this time counts as a failure to open it, so that the pause before the next attempt
grows. The first such break is forgiven if the connection brought a reply."""


class Connection:
    """One connection to a server, which is reopened in place whenever it breaks.

    `socket` is None while the connection is closed. `wanted` is the number of replies still expected. `request` holds a
    request that waits for the connection to open. `unsent` holds the bytes that the kernel has not accepted yet.
    """

    __slots__ = (
        "address",
        "answered",
        "answered_before",
        "attached_ns",
        "dialect",
        "down",
        "failures",
        "feed_one",
        "fills",
        "last_error",
        "misses",
        "open_socket",
        "opened",
        "opening",
        "outbox",
        "parser",
        "receive",
        "receive_bytes",
        "request",
        "retired",
        "send",
        "session",
        "socket",
        "unsent",
        "wanted",
    )

    def __init__(
        self, session: Session, address: str, dialect: Dialect, open_socket: Callable[[], socket]
    ) -> None:
        self.session = session
        self.address = address
        self.dialect = dialect
        self.open_socket = open_socket
        """Opens, encrypts and authenticates a socket. It blocks, so a thread of the job runner calls it."""
        self.socket: socket | None = None
        self.parser: ReplyParser = dialect.make_parser()
        self.receive: Callable[[int], bytes]
        self.send: Callable[[bytes | memoryview], int]
        self.wanted = 0
        self.request: tuple[bytes, int] | None = None
        self.outbox: list[CompletedThenNext] = []
        """Requests about to be sent to this address. The list is shared by the connections of all sessions to the
        address."""
        self.receive_bytes = RECEIVE_BYTES
        """Bytes to read per call."""
        self.unsent: memoryview | None = None
        self.opening = False
        self.opened = 0
        """How often the connection was opened. All but the first count as reconnects."""
        self.failures = 0
        """Failed attempts to open it in a row. A useful connection resets the count."""
        self.attached_ns = 0
        """When the current socket was attached."""
        self.answered_before = 0
        """The value of `answered` at that time."""
        self.down = False
        """Whether the connection is known to be closed: an attempt to open it failed, or a request timed out waiting
        for it."""
        self.answered = 0
        """Requests answered so far, error replies excluded."""
        self.misses = 0
        """Requests among `answered` for a key that does not exist."""
        self.fills = 0
        """Requests among `answered` that were cache fills, that is, writes by a reader."""
        self.last_error = ""
        """Why the last attempt to open it failed; empty while it is open."""
        self.retired = False
        """Whether the connection has been removed and must not be opened again."""

    def attach(self, sock: socket) -> None:
        """Use `sock`, an open and authenticated socket, and discard the state of the previous socket."""
        sock.setblocking(False)
        self.socket = sock
        tls = TlsSocket(sock) if isinstance(sock, SSLSocket) else None
        # Performance: read and write the file descriptor directly; `socket.recv` and `socket.send`
        # cost 500 instructions more each (callgrind, CPython 3.11).
        self.receive = tls.receive if tls else partial(os.read, sock.fileno())
        self.send = tls.send if tls else partial(os.write, sock.fileno())
        self.receive_bytes = LARGE_RECEIVE_BYTES if tls else RECEIVE_BYTES
        self.parser = self.dialect.make_parser()
        self.feed_one = self.parser.feed_one
        self.opened += 1
        self.attached_ns = perf_counter_ns()
        self.answered_before = self.answered
        self.down = False
        self.last_error = ""

    def lasted(self, now_ns: int) -> bool:
        """Return whether the current socket has lasted for `STABLE_NS`."""
        return now_ns - self.attached_ns >= STABLE_NS

    @property
    def has_answered(self) -> bool:
        """Return whether the current socket brought a reply."""
        return self.answered != self.answered_before

    def detach(self) -> None:
        """Close the socket, if any, and drop what is unsent and expected on it. Does not block.

        The server is told before, unless it would take that for the rest of a request. It reads it after the request
        that is in flight.
        """
        if self.socket is not None:
            if self.unsent is None:
                say_farewell(self.send, self.dialect)
            self.socket.close()
        self.socket = None
        self.wanted = 0
        self.unsent = None


def say_farewell(send: Callable[[bytes], int], dialect: Dialect) -> None:
    """Send what ends a connection of `dialect` by `send`, which does not block; whether it arrives does not matter."""
    if dialect.farewell:
        with suppress(OSError, ValueError):
            send(dialect.farewell)


def discard(sock: socket, dialect: Dialect) -> None:
    """Close a socket that was opened and authenticated for nothing. Does not block."""
    with suppress(OSError, ValueError):
        sock.setblocking(False)
        say_farewell(TlsSocket(sock).send if isinstance(sock, SSLSocket) else sock.send, dialect)
    sock.close()


Request: TypeAlias = tuple[Connection, bytes, int]
"""(connection, bytes to send, number of expected replies)."""

CompletedThenNext: TypeAlias = tuple[Connection, bytes, int, Completed]
"""Result of the previous operation plus the first request of the next one.

Performance: saves one resume of the generator per operation. Use it only if building the next request is cheap: after a
plain `Completed` the loop polls the sockets before the next operation is built.
"""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """What a program yields to wait, within an operation, for something else than a reply.

    `until` is called with a function that resumes the program; it must call it later, from the loop, and only once.
    """

    until: Callable[[Callable[[], None]], None]


Step: TypeAlias = Request | list[Request] | CompletedThenNext | Completed | Failed | Awaiting
"""What a program yields: a request, several requests for different connections, the result of the operation, or what
it waits for."""

Program: TypeAlias = Generator[Step, Any, None]
"""The operations of one session, one after the other, without end.

A program is resumed with the reply to a request (a list of replies if several are expected), with the list of answers
to several requests, or with None after a result that carried no request and after `Awaiting`.
"""


class SessionConnections(dict[str, Connection]):
    """The connections of a session by address, each opened on first use.

    Performance: on the hot path call `get` first. Subscripting a subclass of dict costs 300 instructions more
    (callgrind).
    """

    def __init__(self, make: Callable[[str], Connection]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, address: str) -> Connection:
        connection = self[address] = self._make(address)
        return connection


class Session:
    """A program, its connections, and the state of its current operation."""

    __slots__ = (
        "answers",
        "began_ns",
        "connections",
        "due_ns",
        "failures",
        "first",
        "in_operation",
        "program",
        "resume",
        "waiting",
    )

    def __init__(self) -> None:
        self.connections: SessionConnections
        self.program: Callable[[Session], Program]
        """Creates the generator whose `send` is `resume`."""
        self.resume: Callable[[Any], Step]
        self.first: Step | None = None
        """First step of the next operation, built and waiting to start. None while an operation is in flight."""
        self.began_ns = 0
        """When the first request of the operation was sent."""
        self.due_ns = 0
        """Intended start of the operation in an open loop; 0 in a closed loop."""
        self.in_operation = False
        self.waiting = 0
        """Requests of the current step that have no answer yet."""
        self.answers: list[Any] | None = None
        """Answers to a step of several requests, in their order; None for a step of one request."""
        self.failures = 0
        """Failed operations in a row."""
