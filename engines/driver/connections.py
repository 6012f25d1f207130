"""The connections of one engine process: opened, opened again whenever they break, sent on, and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any

from engines.driver.backoff import delay_s
from engines.driver.blocking_jobs import BlockingJobRunner
from engines.driver.poller import READ, WRITE, Poller
from engines.driver.session import CompletedThenNext, Connection, Session
from engines.driver.timers import Timers
from engines.wire.dialect import ConnectionLost, Dialect

DOWN_FOR_NS = 250_000_000
"""How long a request waits for a connection to stand before it fails; where it is known that it does not, it fails
at once. A lane with one dead shard must not come to a halt on it."""

ConnectionPlan = Callable[[str], tuple[Dialect, Callable[[], Any]]]
"""From an address, the protocol spoken there and how to open a connection to it."""


class ConnectionManager:
    """The links of all sessions. `standing` holds, by file descriptor, those whose connection stands.

    `answer` is called with a link, what takes the place of the replies that were due on it, and the time.
    """

    def __init__(
        self,
        plan: ConnectionPlan,
        timers: Timers,
        answer: Callable[[Connection, Any, int], None],
        on_trouble: Callable[[], None] | None,
    ) -> None:
        self._plan = plan
        self._timers = timers
        self._answer = answer
        self._on_trouble = on_trouble
        self.poller = Poller()
        self.connector = BlockingJobRunner()
        self.standing: dict[int, Connection] = {}
        self.outboxes: dict[str, list[CompletedThenNext]] = {}
        """By address, what the reactor is about to send there."""
        self.reconnects = 0
        self._links: list[Connection] = []
        self._dropped: list[Connection] = []

    # ---------------------------------------------------------------- which there are

    def link(self, session: Session, address: str) -> Connection:
        """A new link of `session`; its connection is being opened."""
        dialect, open_socket = self._plan(address)
        link = Connection(session, address, dialect, open_socket)
        link.outbox = self.outboxes.setdefault(address, [])
        self._links.append(link)
        self._open(link)
        return link

    def closed(self) -> list[Connection]:
        """The links that are down: they stood once, or could not be opened."""
        return [
            link for link in self._links if link.socket is None and (link.opened or link.failures)
        ]

    def unopened(self) -> list[Connection]:
        """The links that never stood."""
        return [link for link in self._links if not link.opened]

    def all(self) -> Iterator[Connection]:
        """Every link that there is, and that there was."""
        yield from self._dropped
        yield from self._links

    # ---------------------------------------------------------------- opening

    def _open(self, link: Connection) -> None:
        if link.opening or link.retired or link.socket is not None:
            return
        link.opening = True

        def opened(sock: Any) -> None:
            link.opening = False
            if link.retired:
                sock.close()
                return
            link.attach(sock)
            self.standing[sock.fileno()] = link
            self.poller.register(sock.fileno(), READ)
            if link.opened > 1:
                self.reconnects += 1
            if link.request is not None:
                (request, wanted), link.request = link.request, None
                self.send(link, request, wanted)

        def refused(error: Exception) -> None:
            link.opening = False
            if link.retired:
                return
            link.down = True
            self._open_after_pause(link, str(error))
            self._tell_trouble()

        def open_socket() -> Any:
            if link.retired:
                raise ConnectionAbortedError("nobody needs it any more")
            return link.open_socket()

        self.connector.submit(link.address, open_socket, opened, refused)

    def _open_after_pause(self, link: Connection, refusal: str) -> None:
        link.failures += 1
        link.refusal = refusal
        due_ns = perf_counter_ns() + int(delay_s(link.failures) * 1e9)
        self._timers.at(due_ns, lambda: self._open(link))

    def _tell_trouble(self) -> None:
        if self._on_trouble is not None:
            self._on_trouble()

    # ---------------------------------------------------------------- sending

    def send(self, link: Connection, request: bytes, wanted: int) -> None:
        """Send `request`, to which `wanted` replies are due; where the connection does not stand, once it does."""
        if link.socket is None:
            self._await(link, request, wanted)
            return
        link.wanted = wanted
        try:
            sent = link.send(request)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.broken(link)
            return
        if sent != len(request):
            self.keep(link, request, sent)

    def keep(self, link: Connection, request: bytes, sent: int) -> None:
        """Send what the kernel did not take of `request` when it can take more."""
        link.unsent = memoryview(request)[sent:]
        assert link.socket is not None
        self.poller.modify(link.socket.fileno(), READ | WRITE)

    def flush(self, link: Connection) -> None:
        """Go on sending what the kernel did not take before."""
        unsent = link.unsent
        assert link.socket is not None
        if unsent is not None:
            try:
                sent = link.send(unsent)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return  # The same failure makes the socket readable, and the loop reads it there.
            if sent != len(unsent):
                link.unsent = unsent[sent:]
                return
        link.unsent = None
        self.poller.modify(link.socket.fileno(), READ)

    def broken(self, link: Connection) -> None:
        """A send failed: the connection had broken while it was idle. The answer comes from a timer, since a step of
        several requests may have others still to send."""
        self.close(link)
        resume = link.session.resume

        def answer() -> None:
            # A program that has begun anew meanwhile has asked for nothing.
            if link.session.resume is resume:
                self._answer(link, ConnectionLost(link.dialect.gone), perf_counter_ns())

        self._timers.at(0, answer)

    def _await(self, link: Connection, request: bytes, wanted: int) -> None:
        waiting = (request, wanted)
        link.request = waiting
        if not link.opening and not link.failures:
            self._open(link)

        def give_up() -> None:
            if link.request is waiting:
                link.request = None
                link.down = True
                self._answer(link, ConnectionLost(link.dialect.refused), perf_counter_ns())

        self._timers.at(perf_counter_ns() + (0 if link.down else DOWN_FOR_NS), give_up)

    # ---------------------------------------------------------------- closing

    def close(self, link: Connection) -> None:
        """Close a link's connection, if it stands, and begin to open it again, unless it is retired."""
        if link.socket is None:
            return
        descriptor = link.socket.fileno()
        self.standing.pop(descriptor, None)
        if descriptor >= 0:
            self.poller.unregister(descriptor)
        proved = link.proved(perf_counter_ns())
        link.detach()
        if link.retired:
            return
        if proved:
            link.failures = 0
            self._open(link)
        else:
            # Who takes connections and hangs up, as a proxy does whose far end is down, is not asked without end.
            self._open_after_pause(link, "the connection was closed as soon as it stood")
        self._tell_trouble()

    def lose(self, link: Connection, now_ns: int, kind: str | None = None) -> None:
        """A connection broke: close it, answer what was due on it, and begin to open it again. Where nothing was due no
        operation failed: it counts as a reconnect, once it stands again."""
        due = link.wanted
        self.close(link)
        if due:
            self._answer(link, ConnectionLost(kind or link.dialect.lost), now_ns)

    def drop(self, link: Connection) -> None:
        """Give up a link for good: nobody needs its address any more."""
        link.retired = True
        waiting, link.request = link.request is not None or link.wanted > 0, None
        self.close(link)
        link.session.links.pop(link.address, None)
        self._links.remove(link)
        self._dropped.append(link)
        if waiting:
            self._answer(link, ConnectionLost(link.dialect.lost), perf_counter_ns())

    def close_all(self) -> None:
        """Close every connection for good."""
        for link in self._links:
            link.retired = True
            link.detach()
        self.connector.close()
        self.poller.close()
