"""Total deadlines for work that talks to servers.

The timeout of a socket bounds one read or write. A server that sends a byte a second never exceeds it, and a phase of
many requests has no bound at all. A `Deadline` bounds the whole: when it passes, a thread shuts down every socket that
the work watches, which ends the read that is in progress.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, Token
from threading import Condition, RLock, Thread
from time import monotonic
from types import TracebackType
from typing import Self

PHASE_S = 30.0
"""Total time in seconds of a phase with one server. It covers dozens of requests over a slow link."""

PHASE_REPLY_S = 0.002
"""Seconds by which each reply extends a phase whose number of requests is not known before."""

PHASE_AT_MOST_S = 600.0
"""Seconds after which a phase ends, however many replies have come."""

WatchedSocket = Callable[[], socket.socket | None]
"""Returns the socket that a connection uses now, or None. A connection may replace its socket, for example for TLS."""


class DeadlineError(TimeoutError):
    """Work was not done within its total time. The message says which work, where it was and how long it had."""


class EndedError(ConnectionAbortedError):
    """The work was ended from outside, because nobody needs it any more."""


class Deadline:
    """The total time of a piece of work: `with Deadline("signing in", 10.0, server="MySQL at db:3306"): ...`.

    Leaving the block raises DeadlineError if the time passed and the block failed or was late. It can be entered again,
    with the full time and the sockets watched so far. Without a time (`within_s` None) it only serves `end`. A reply
    extends the time by `per_reply_s`, up to `at_most_s` in all.
    """

    def __init__(
        self,
        what: str,
        within_s: float | None,
        *,
        server: str = "",
        per_reply_s: float = 0.0,
        at_most_s: float = PHASE_AT_MOST_S,
    ) -> None:
        self.what = what
        self.server = server
        """The server that is asked; in work with several of them the last one that was connected to."""
        self.step = ""
        """The part of the work that is in progress; empty if it has no parts."""
        self.passed = False
        self.ended = False
        self._within_s = within_s
        self._per_reply_s = per_reply_s
        self._at_most_s = at_most_s
        self._began_s = 0.0
        self.until_s = float("inf")
        """When the time is over (monotonic clock)."""
        self._outer: Deadline | None = None
        self._token: Token[Deadline | None] | None = None
        # A signal handler may call `end` while its own thread watches a connection.
        self._lock = RLock()
        self._sockets: list[WatchedSocket] = []

    def __enter__(self) -> Self:
        self._outer = outer = _current.get()
        self._token = _current.set(self)
        while self.server and outer is not None:
            outer.server = self.server
            outer = outer._outer
        self.restart(self._within_s)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _watchdog.disarm(self)
        if self._token is not None:
            _current.reset(self._token)
        if self.passed and (error is None or isinstance(error, Exception)):
            raise self.error() from error

    def error(self) -> DeadlineError:
        """Return the error that says that the time is over."""
        work = ", ".join(filter(None, (self.what, self.server)))
        step = f" ({self.step})" if self.step else ""
        given_s = min(self.until_s - self._began_s, self._at_most_s)
        return DeadlineError(
            f"{work}: not over after {given_s:.0f} s in all{step}: the server answers too slowly"
        )

    def restart(self, within_s: float | None) -> None:
        """Give the work `within_s` seconds from now on, whatever it has used."""
        self.passed = False
        self._began_s = monotonic()
        self._within_s = within_s
        if within_s is not None:
            self.until_s = self._began_s + within_s
            _watchdog.arm(self)

    def extend(self) -> None:
        """Note a reply, which extends the time of this work and of the work that it is part of."""
        if self._per_reply_s:
            latest_s = self._began_s + self._at_most_s
            self.until_s = min(self.until_s + self._per_reply_s, latest_s)
        if self._outer is not None:
            self._outer.extend()

    def left_s(self) -> float:
        """Return the seconds that are left, also of the work that this is part of. Raises if none are.

        Raises DeadlineError or EndedError.
        """
        if self.ended:
            raise EndedError(f"{self.what} was ended")
        left_s = self.until_s - monotonic()
        if self.passed or left_s <= 0:
            raise self.error()
        return left_s if self._outer is None else min(left_s, self._outer.left_s())

    def watch(self, connection: WatchedSocket) -> None:
        """Shut the connection's socket down when the time is over, here and in the work that this is part of."""
        with self._lock:
            self._sockets = [each for each in self._sockets if _is_open(each())]
            self._sockets.append(connection)
        if self.passed or self.ended:
            self.interrupt()
        if self._outer is not None:
            self._outer.watch(connection)

    def interrupt(self) -> None:
        """Shut down every watched socket. A read in progress on it returns at once."""
        with self._lock:
            watched = tuple(self._sockets)
        for connection in watched:
            sock = connection()
            if sock is not None:
                with suppress(OSError):
                    # `SSLSocket.shutdown` would also drop the state of TLS, which another thread may be using.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def end(self) -> None:
        """End the work from another thread: what it waits for fails at once, and so does what it begins."""
        self.ended = True
        self.interrupt()


def _is_open(sock: socket.socket | None) -> bool:
    return sock is not None and sock.fileno() >= 0


def phase(what: str, servers: int = 1) -> Deadline:
    """Return the deadline of a phase that asks so many servers one after the other."""
    return Deadline(what, PHASE_S * max(1, servers), per_reply_s=PHASE_REPLY_S)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def restart(within_s: float) -> None:
    """Give this thread's work `within_s` seconds from now on, because it turns out to be larger."""
    deadline = _current.get()
    if deadline is not None:
        deadline.restart(within_s)


def watch(connection: WatchedSocket) -> None:
    """Shut the connection's socket down when the time of this thread's work is over."""
    deadline = _current.get()
    if deadline is not None:
        deadline.watch(connection)


def left_s(at_most_s: float) -> float:
    """Return the seconds left to this thread's work, at most `at_most_s`. Raises DeadlineError or EndedError."""
    deadline = _current.get()
    return at_most_s if deadline is None else min(at_most_s, deadline.left_s())


def note_step(step: str) -> None:
    """Note which part of this thread's work begins, for the message of its deadline."""
    deadline = _current.get()
    if deadline is not None:
        deadline.step = step


def note_reply() -> None:
    """Note that a server has replied to this thread's work."""
    deadline = _current.get()
    if deadline is not None:
        deadline.extend()


class _Watchdog:
    """Thread that interrupts the work whose time is over. It starts with the first deadline of the process."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._armed: set[Deadline] = set()
        self._wakes_s = float("inf")
        """When the thread looks next (monotonic clock)."""
        self._thread: Thread | None = None

    def arm(self, deadline: Deadline) -> None:
        """Interrupt the work of `deadline` when its time is over."""
        with self._changed:
            self._armed.add(deadline)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            if deadline.until_s < self._wakes_s:
                self._changed.notify()

    def disarm(self, deadline: Deadline) -> None:
        """Forget `deadline`: its work is over."""
        with self._changed:
            self._armed.discard(deadline)

    def _run(self) -> None:
        while True:
            with self._changed:
                now_s = monotonic()
                due = [each for each in self._armed if each.until_s <= now_s]
                self._armed.difference_update(due)
                for each in due:
                    each.passed = True
                if not due:
                    self._wakes_s = min(
                        (each.until_s for each in self._armed), default=float("inf")
                    )
                    wait_s = self._wakes_s - now_s
                    self._changed.wait(None if wait_s == float("inf") else wait_s)
            for each in due:
                each.interrupt()


_watchdog = _Watchdog()
