"""One of a lane's connections in the sense of its user: it does one operation at a time, over one or more links."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from functools import partial
from socket import socket
from ssl import SSLSocket
from time import perf_counter_ns
from typing import Any, TypeAlias

from engines.driver.outcome import Completed, Failed
from engines.driver.tls_socket import TlsSocket
from engines.wire.dialect import Dialect, ReplyParser

RECEIVE_BYTES = 448
"""How much is read from a socket at a time. The reply to a read fits, and the room for it is one of Python's small
objects still (512 bytes, obmalloc.c): half of the cost of a large one that is cut to its length afterwards."""


LARGE_RECEIVE_BYTES = 65_536
"""How much from then on that a reply did not fit. Also over TLS, where a record is not to be read in pieces."""


STABLE_NS = 1_000_000_000
"""A connection that broke sooner, and before a reply, counts as one that could not be opened."""


class Connection:
    """A connection that is opened again, in place, whenever it breaks.

    `socket` is None while it is closed. `wanted` counts the replies that are due, `request` holds what waits for the
    connection to stand, `unsent` what the kernel did not take yet.
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
        """Opens, secures and authenticates a connection; blocks, so it runs on a connector thread."""
        self.socket: socket | None = None
        self.parser: ReplyParser = dialect.make_parser()
        self.receive: Callable[[int], bytes]
        self.send: Callable[[bytes | memoryview], int]
        self.wanted = 0
        self.request: tuple[bytes, int] | None = None
        self.outbox: list[CompletedThenNext] = []
        """What is about to be sent to its address, by this link and by those of other sessions."""
        self.receive_bytes = RECEIVE_BYTES
        """How much is read at a time."""
        self.unsent: memoryview | None = None
        self.opening = False
        self.opened = 0
        """How often it was opened: all but the first are reconnects."""
        self.failures = 0
        """Attempts to open it in a row that came to nothing: the last connection that proved good sets them back."""
        self.attached_ns = 0
        """When its connection began to stand."""
        self.answered_before = 0
        """How much had been `answered` then."""
        self.down = False
        """Whether it is known that it does not stand: an attempt failed, or somebody waited for it in vain."""
        self.answered = 0
        """Requests that were answered in all, by no refusal."""
        self.misses = 0
        """Those among them that asked for a key that was not there."""
        self.fills = 0
        """Those among them that a reader wrote with."""
        self.last_error = ""
        """Why the last attempt to open it failed; empty while it stands."""
        self.retired = False
        """Whether nobody needs it any more."""

    def attach(self, sock: socket) -> None:
        """Take over a connection that stands, with nothing of a former one left."""
        sock.setblocking(False)
        self.socket = sock
        tls = TlsSocket(sock) if isinstance(sock, SSLSocket) else None
        # On the descriptor itself: `socket.recv` and `send` cost 500 instructions more each (callgrind, CPython 3.11).
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

    def was_useful(self, now_ns: int) -> bool:
        """Whether the connection that stands has been good for something: it brought a reply, or lasted."""
        return self.answered != self.answered_before or now_ns - self.attached_ns >= STABLE_NS

    def detach(self) -> None:
        """Close what is left of a connection."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.wanted = 0
        self.unsent = None


Request: TypeAlias = tuple[Connection, bytes, int]
"""What to send, over which link, and how many replies are due."""

CompletedThenNext: TypeAlias = tuple[Connection, bytes, int, Completed]
"""The first request of an operation, with how the one before it ended. For operations that are made up in no time: it
saves resuming the program once more. After `Done` alone the sockets are looked at before the next is made up."""

Step: TypeAlias = Request | list[Request] | CompletedThenNext | Completed | Failed
"""What a lane yields: a request, several at once for different links, or how the operation ended."""

Program: TypeAlias = Generator[Step, Any, None]
"""A lane's operations, one after the other without end. It is resumed with the reply to a request (with a list of
replies where several are due), with the list of the answers to several requests, and with None after an outcome that
no request came with."""


class SessionConnections(dict[str, Connection]):
    """A session's links by address, each opened when it is first needed.

    Where that is felt `get` comes first: subscripting a subclass of dict costs 300 instructions more (callgrind).
    """

    def __init__(self, make: Callable[[str], Connection]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, address: str) -> Connection:
        connection = self[address] = self._make(address)
        return connection


class Session:
    """A program, its links, and where it stands in the operation that it is in."""

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
        """Makes what `resume` resumes."""
        self.resume: Callable[[Any], Step]
        self.first: Step | None = None
        """The first step of the next operation, built already and waiting to begin."""
        self.began_ns = 0
        """When the first request of the operation was sent."""
        self.due_ns = 0
        """When the operation was due; 0 in a closed loop."""
        self.in_operation = False
        self.waiting = 0
        """How many requests of the step have no answer yet."""
        self.answers: list[Any] | None = None
        """The answers to a step of several requests, in their order; None for a step of one."""
        self.failures = 0
        """Failed operations in a row."""
