"""Server on loopback that answers at once; latencies measured against it are the client overhead.

It implements as much of each protocol as the race's requests need and sends canned replies. It runs in its own process,
so that it shares no interpreter with the engine process that measures. Its own time per answer, a few microseconds, is
part of the measured value. The file must import nothing of telemon at its top: it is executed with `-S`, as a script.
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 2.0
"""How long the process may take to start. Without it a race has no client overhead to show, and continues."""

PAYLOAD = b"50000123:2345:78:101:99:123456"
"""A row as Redis stores it."""
GET_REPLY = b"$%d\r\n%b\r\n" % (len(PAYLOAD), PAYLOAD)
SET_REPLY = b"+OK\r\n"


def _packet(number: int, payload: bytes) -> bytes:
    """Return a MySQL packet with sequence number `number`."""
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def _column(number: int, name: bytes) -> bytes:
    """Return the definition of a DECIMAL column (MySQL internals manual, "Column Definition")."""
    names = b"".join(bytes([len(part)]) + part for part in (b"def", b"", b"", b"", name, b""))
    return _packet(number, names + b"\x0c\x3f\x00\x21\x00\x00\x00\xf6\x80\x00\x04\x00\x00")


_EOF = b"\xfe\x00\x00\x02\x00"
_COLUMNS = (b"rpm", b"water_temp", b"oil_temp", b"oil_pressure", b"version", b"car_id")
_VALUES = (b"2345.0000", b"78.0000", b"101.0000", b"99.0000", b"123456", b"50000123")

ROW_REPLY = b"".join(
    [
        _packet(1, bytes([len(_COLUMNS)])),
        *(_column(number, name) for number, name in enumerate(_COLUMNS, 2)),
        _packet(8, _EOF),
        _packet(9, b"".join(bytes([len(value)]) + value for value in _VALUES)),
        _packet(10, _EOF),
    ]
)
"""One row, as MySQL answers the SELECT of the race."""

OK_REPLY = _packet(1, b"\x00\x01\x00\x02\x00\x00\x00")
"""The answer to an upsert of one row."""


REDIS_REPLIES = {b"GET": GET_REPLY, b"SET": SET_REPLY}
"""The canned replies. Any other command is answered by `INTEGER_REPLY`."""

INTEGER_REPLY = b":1\r\n"

GET_LINES, SET_LINES = 5, 7
"""Lines of a GET, and of a SET without options: the number of words, then the length of each word and the word."""


def answer_redis(received: bytes) -> tuple[bytes, bytes]:
    """Return the replies to the whole requests in `received`, and the rest of it.

    Requests must be arrays of bulk strings, as telemon sends them.

    Performance: batches of nothing but GETs, or nothing but SETs without options, are counted and not parsed. The
    time for an answer is part of the client overhead that is measured against this server.
    """
    if not received.endswith(b"\r\n"):
        return b"", received
    # A batch that is cut at the end of a line inside a request shows in the number of lines.
    lines = received.count(b"\r\n")
    gets = received.count(b"*2\r\n$3\r\nGET\r\n")
    if lines == GET_LINES * gets:
        return GET_REPLY * gets, b""
    sets = received.count(b"*3\r\n$3\r\nSET\r\n")
    if lines == SET_LINES * sets:
        return SET_REPLY * sets, b""
    return _answer_each(received)


def _answer_each(received: bytes) -> tuple[bytes, bytes]:
    """Return the replies to the whole requests in `received`, and the rest of it, for requests of any kind."""
    lines = received.split(b"\r\n")
    replies: list[bytes] = []
    at = 0
    while lines[at][:1] == b"*":
        end = at + 1 + 2 * int(lines[at][1:])
        if end >= len(lines):
            break
        replies.append(REDIS_REPLIES.get(lines[at + 2], INTEGER_REPLY))
        at = end
    return b"".join(replies), b"\r\n".join(lines[at:])


def answer_mysql(received: bytes) -> tuple[bytes, bytes]:
    """Return the reply to the statement in `received` once it is complete, and the bytes left over."""
    if len(received) < 4 or len(received) - 4 < int.from_bytes(received[:3], "little"):
        return b"", received
    return (ROW_REPLY if received[5:11] == b"SELECT" else OK_REPLY), b""


Answer = Callable[[bytes], tuple[bytes, bytes]]
"""Returns the replies to the received bytes, and the bytes left over."""


def serve(mysql: socket.socket, redis: socket.socket, parent: socket.socket) -> None:
    """Signal `parent` that the server is ready, and answer until `parent` is closed by the other side; blocks."""
    parent.send(b"\0")
    poll = select.poll()
    listeners = {mysql.fileno(): (mysql, answer_mysql), redis.fileno(): (redis, answer_redis)}
    clients: dict[int, tuple[socket.socket, Answer]] = {}
    pending: dict[int, bytes] = {}
    for descriptor in (*listeners, parent.fileno()):
        poll.register(descriptor, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            client = clients.get(descriptor)
            if client is not None:
                sock, answer = client
                try:
                    data = sock.recv(1_048_576)
                    reply, rest = answer(pending.pop(descriptor, b"") + data)
                    if reply:
                        sock.sendall(reply)
                    if rest:
                        pending[descriptor] = rest
                except OSError:
                    data = b""
                if not data:
                    poll.unregister(descriptor)
                    pending.pop(descriptor, None)
                    del clients[descriptor]
                    sock.close()
            elif descriptor in listeners:
                listener, answer = listeners[descriptor]
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[sock.fileno()] = (sock, answer)
                poll.register(sock.fileno(), select.POLLIN)
            else:
                return


class NullServer:
    """Context manager around the process of a null server, with the two ports to connect to."""

    def __init__(self) -> None:
        self.mysql_port = 0
        self.redis_port = 0

    def __enter__(self) -> Self:
        # Not at the top: the process of the server runs this file, and finds no package.
        from engines.child_environment import program_environment

        with ExitStack() as inherited, ExitStack() as undo:
            sockets = [
                inherited.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)
            ]
            self.mysql_port, self.redis_port = (one.getsockname()[1] for one in sockets)
            self._parent, child_end = socket.socketpair()
            undo.enter_context(self._parent)
            sockets.append(inherited.enter_context(child_end))
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-P", __file__, *(str(one.fileno()) for one in sockets)],
                pass_fds=[one.fileno() for one in sockets],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=program_environment(),
                start_new_session=True,
            )
            undo.pop_all()
        # On a busy machine its interpreter starts slowly, and the overhead is measured only for a
        # short time.
        self._parent.settimeout(START_TIMEOUT_S)
        with suppress(OSError):
            self._parent.recv(1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._parent.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
            return
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    serve(*(socket.socket(fileno=int(number)) for number in sys.argv[1:4]))
