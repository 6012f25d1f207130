"""Connections of one engine process: opening, reopening, sending and closing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any

from engines.driver.backoff import ReconnectLimit, delay_s
from engines.driver.blocking_jobs import BlockingJobRunner
from engines.driver.poller import READ, WRITE, Poller
from engines.driver.session import CompletedThenNext, Connection, Session, discard
from engines.driver.timers import Timers
from engines.endpoints.redaction import foreign_text
from engines.wire.dialect import ConnectionLost, Dialect
from engines.wire.reply import ProtocolError, describe_violation

OPEN_WAIT_NS = 250_000_000
"""How long a request waits for its connection to open before it fails. A request fails at once if the connection is
known to be down. A longer wait would let one dead shard stall the whole lane."""

ConnectionPlan = Callable[[str], tuple[Dialect, Callable[[], Any]]]
"""Returns, for an address, the protocol dialect and a function that opens a socket to the address; that function
blocks."""

ProcessCount = Callable[[str], int]
"""Returns how many engine processes, this one included, connect to the server at an address."""


class ConnectionManager:
    """The connections of all sessions. `open_by_descriptor` maps file descriptors to open connections.

    `answer` is called with a connection, the value that takes the place of its expected replies, and the time in ns.
    `on_connection_problem` is called after a connection broke or could not be opened. `processes` says with how many
    engine processes the limits on reconnecting to a server are shared.
    """

    def __init__(
        self,
        plan: ConnectionPlan,
        timers: Timers,
        answer: Callable[[Connection, Any, int], None],
        on_connection_problem: Callable[[], None] | None,
        processes: ProcessCount = lambda _: 1,
    ) -> None:
        self._plan = plan
        self._processes = processes
        self._timers = timers
        self._answer = answer
        self._on_connection_problem = on_connection_problem
        self.poller = Poller()
        self.job_runner = BlockingJobRunner()
        self.open_by_descriptor: dict[int, Connection] = {}
        self.outboxes: dict[str, list[CompletedThenNext]] = {}
        """By address, the requests that the reactor is about to send there."""
        self.reconnects = 0
        self._limits: dict[str, ReconnectLimit] = {}
        """By address, the limit on reconnects."""
        self._waiting: dict[Connection, int] = {}
        """Connections that wait to be reopened, each with the time of its attempt in ns."""
        self.violations: dict[str, str] = {}
        """By address, the last violation of the protocol, as one line; the engine empties it."""
        self._opened: dict[Connection, Any] = {}
        """Sockets that a thread has opened and the loop has not taken yet. Whoever takes one out closes or uses it."""
        self._connections: list[Connection] = []
        self._removed: list[Connection] = []

    # ---------------------------------------------------------------- registry

    def connection(self, session: Session, address: str) -> Connection:
        """Return a new connection of `session` to `address`; opening it starts in the background."""
        dialect, open_socket = self._plan(address)
        connection = Connection(session, address, dialect, open_socket)
        connection.outbox = self.outboxes.setdefault(address, [])
        self._connections.append(connection)
        if address not in self._limits:
            self._limits[address] = ReconnectLimit(self._processes(address))
        self._limits[address].add_connection()
        self._open(connection)
        return connection

    def closed(self) -> list[Connection]:
        """Return the connections that are down: they were open before, or could not be opened."""
        return [
            connection
            for connection in self._connections
            if connection.socket is None and (connection.opened or connection.failures)
        ]

    def unopened(self) -> list[Connection]:
        """Return the connections that have never been open."""
        return [connection for connection in self._connections if not connection.opened]

    def all(self) -> Iterator[Connection]:
        """Yield every connection, removed ones included."""
        yield from self._removed
        yield from self._connections

    # ---------------------------------------------------------------- opening

    def _open(self, connection: Connection) -> None:
        """Start to open `connection` on a thread, unless it is open, opening or retired."""
        if connection.opening or connection.retired or connection.socket is not None:
            return
        connection.opening = True
        self._waiting.pop(connection, None)
        limit = self._limits[connection.address]
        again = connection.opened > 0 or connection.failures > 0 or limit.is_troubled

        def opened(sock: Any) -> None:
            connection.opening = False
            self._opened.pop(connection, None)
            if connection.retired:
                discard(sock, connection.dialect)
                return
            connection.attach(sock)
            self.open_by_descriptor[sock.fileno()] = connection
            self.poller.register(sock.fileno(), READ)
            if connection.opened > 1:
                self.reconnects += 1
            self._open_those_that_wait(connection.address)
            if connection.request is not None:
                (request, wanted), connection.request = connection.request, None
                self.send(connection, request, wanted)

        def refused(error: Exception) -> None:
            connection.opening = False
            if connection.retired:
                return
            connection.down = True
            self._open_after_pause(connection, foreign_text(error))
            self._report_problem()

        def open_socket() -> Any:
            if again:
                limit.pass_gate()
            if connection.retired:
                raise ConnectionAbortedError("nobody needs it any more")
            sock = connection.open_socket()
            self._opened[connection] = sock
            if connection.retired and self._opened.pop(connection, None) is not None:
                discard(sock, connection.dialect)
                raise ConnectionAbortedError("nobody needs it any more")
            return sock

        self.job_runner.submit(connection.address, open_socket, opened, refused)

    def _open_after_pause(self, connection: Connection, last_error: str) -> None:
        """Open `connection` again after a pause that grows with its failures."""
        connection.failures += 1
        connection.last_error = last_error
        self._open_at(connection, perf_counter_ns() + int(delay_s(connection.failures) * 1e9))

    def _open_at(self, connection: Connection, earliest_ns: int) -> None:
        """Open `connection` again at `earliest_ns`, or later if its server has had too many attempts."""
        due_ns = self._limits[connection.address].take_turn(earliest_ns)
        self._waiting[connection] = due_ns

        def open_now() -> None:
            # Otherwise it was opened before, when its server was back.
            if self._waiting.get(connection) == due_ns:
                self._open(connection)

        self._timers.at(due_ns, open_now)

    def _open_those_that_wait(self, address: str) -> None:
        """Open all connections to a server that is back, if its limit allows that."""
        if self._limits[address].succeeded():
            for connection in [each for each in self._waiting if each.address == address]:
                self._open(connection)

    def _report_problem(self) -> None:
        """Call `on_connection_problem`, if it is set."""
        if self._on_connection_problem is not None:
            self._on_connection_problem()

    # ---------------------------------------------------------------- sending

    def send(self, connection: Connection, request: bytes, wanted: int) -> None:
        """Send `request`, which will be answered by `wanted` replies, now or once the connection is open.

        Does not block: the part that the kernel does not accept is sent by `flush`. A failure is reported through
        `answer`.
        """
        if connection.socket is None:
            self._send_when_open(connection, request, wanted)
            return
        connection.wanted = wanted
        try:
            sent = connection.send(request)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.on_send_failed(connection)
            return
        if sent != len(request):
            self.keep_unsent(connection, request, sent)

    def keep_unsent(self, connection: Connection, request: bytes, sent: int) -> None:
        """Keep the bytes of `request` after the first `sent`, and have the poller call `flush` for them."""
        connection.unsent = memoryview(request)[sent:]
        assert connection.socket is not None
        self.poller.modify(connection.socket.fileno(), READ | WRITE)

    def flush(self, connection: Connection) -> None:
        """Send the bytes that the kernel did not accept before; does not block."""
        unsent = connection.unsent
        assert connection.socket is not None
        if unsent is not None:
            try:
                sent = connection.send(unsent)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return  # The same error makes the socket readable; the loop handles it.
            if sent != len(unsent):
                connection.unsent = unsent[sent:]
                return
        connection.unsent = None
        self.poller.modify(connection.socket.fileno(), READ)

    def on_send_failed(self, connection: Connection) -> None:
        """Close a connection that broke while idle, as a failed send has shown.

        A timer delivers the answer, because a step of several requests may have others still to send.
        """
        self.close(connection)
        resume = connection.session.resume

        def answer() -> None:
            # If the program was restarted meanwhile, the new one has sent nothing yet.
            if connection.session.resume is resume:
                self._answer(
                    connection, ConnectionLost(connection.dialect.gone_away), perf_counter_ns()
                )

        self._timers.at(0, answer)

    def _send_when_open(self, connection: Connection, request: bytes, wanted: int) -> None:
        """Keep `request` until the connection is open; after `OPEN_WAIT_NS` it fails."""
        waiting = (request, wanted)
        connection.request = waiting
        if connection not in self._waiting:
            self._open(connection)

        def fail_request() -> None:
            if connection.request is waiting:
                connection.request = None
                connection.down = True
                self._answer(
                    connection, ConnectionLost(connection.dialect.cannot_connect), perf_counter_ns()
                )

        self._timers.at(perf_counter_ns() + (0 if connection.down else OPEN_WAIT_NS), fail_request)

    # ---------------------------------------------------------------- closing

    def close(
        self, connection: Connection, why: str = "the connection was closed as soon as it stood"
    ) -> None:
        """Close the socket of `connection`, if it is open, and start to reopen it unless it is retired.

        `why` is shown if the connection brought nothing.
        """
        if connection.socket is None:
            return
        descriptor = connection.socket.fileno()
        self.open_by_descriptor.pop(descriptor, None)
        if descriptor >= 0:
            self.poller.unregister(descriptor)
        now_ns = perf_counter_ns()
        lasted, answered = connection.lasted(now_ns), connection.has_answered
        connection.detach()
        if connection.retired:
            return
        if lasted or (answered and not connection.failures):
            # The first attempt after a failover is made at once.
            connection.failures = 0 if lasted else 1
            self._open_at(connection, now_ns)
        elif answered:
            self._open_after_pause(connection, "the connection is closed again and again")
        else:
            # A server that accepts and closes at once, like a proxy without its backend, is not
            # retried in a tight loop.
            self._open_after_pause(connection, why)
        self._report_problem()

    def on_broken(self, connection: Connection, now_ns: int, kind: str | None = None) -> None:
        """Close a broken connection, fail the request in flight on it with `kind`, and start to reopen it.

        Without a request in flight no operation fails: the event only counts as a reconnect once the connection is open
        again. `kind` defaults to the dialect's name for a lost connection.
        """
        due = connection.wanted
        self.close(connection)
        if due:
            self._answer(
                connection, ConnectionLost(kind or connection.dialect.connection_lost), now_ns
            )

    def on_violation(
        self, connection: Connection, now_ns: int, data: bytes, error: ProtocolError
    ) -> None:
        """Close a connection over which `data` came, which is no reply, as `on_broken` does.

        The request in flight fails with the kind of `error`.
        """
        why = foreign_text(describe_violation(connection.dialect.speaks, data, error))
        self.violations[connection.address] = why
        due = connection.wanted
        self.close(connection, why)
        if due:
            self._answer(connection, ConnectionLost(error.kind), now_ns)

    def remove(self, connection: Connection) -> None:
        """Close `connection` for good, because its address is no longer needed."""
        connection.retired = True
        waiting, connection.request = connection.request is not None or connection.wanted > 0, None
        self.close(connection)
        connection.session.connections.pop(connection.address, None)
        self._connections.remove(connection)
        self._removed.append(connection)
        self._waiting.pop(connection, None)
        self._limits[connection.address].remove_connection()
        if waiting:
            self._answer(
                connection, ConnectionLost(connection.dialect.connection_lost), perf_counter_ns()
            )

    def close_all(self) -> None:
        """Close every connection for good, the threads and the poller. Does not block."""
        for connection in self._connections:
            connection.retired = True
            connection.detach()
        for connection in tuple(self._opened):
            sock = self._opened.pop(connection, None)
            if sock is not None:
                discard(sock, connection.dialect)
        self.job_runner.close()
        self.poller.close()
