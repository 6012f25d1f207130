"""TCP connection to whichever address of a name answers first (RFC 8305, "Happy Eyeballs").

A name may lead to addresses that swallow what they are sent: of a family that has no route, of a node that is gone.
One that is tried alone costs a whole timeout, and each connection pays it again. So the next address is tried while
the one before has not answered, and the process remembers which one did.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from select import POLLOUT, poll
from time import monotonic

from engines.endpoints.address import FoundAddress
from engines.endpoints.deadline import left_s, watch

NEXT_AFTER_S = 0.25
"""Seconds after which the next address is tried too ("Connection Attempt Delay" of RFC 8305). One that fails is
followed at once."""

LOOK_EVERY_S = 0.1
"""Seconds between two looks at whether the work was ended from outside."""


class UnansweredError(ConnectionError):
    """No address of a name took a connection. The message names each of them with its reason.

    It is no TimeoutError, whose text redis-py does not pass on.
    """


_answered: dict[str, FoundAddress] = {}
"""By "host:port", the address that took the last connection, of those names that have several."""


def answered() -> dict[str, FoundAddress]:
    """Return which address of each name answered this process, for another process to `remember`."""
    return dict(_answered)


def remember(known: Mapping[str, FoundAddress]) -> None:
    """Try the addresses in `known` before the others of their names."""
    _answered.update(known)


def connect_first(name: str, addresses: Sequence[FoundAddress], within_s: float) -> socket.socket:
    """Return a TCP connection to the first of `addresses` that takes one. The others are given up.

    `name` is "host:port", to remember the address by. Each address has `within_s` seconds, and all of them have the
    time of the caller's work. Blocks. Raises UnansweredError, or the error of the only address, and DeadlineError or
    EndedError.
    """
    order = _in_order(addresses, _answered.get(name))
    attempts = _Attempts(within_s)
    try:
        attempt = attempts.first_of(order)
        if attempt is None:
            _answered.pop(name, None)
            raise _error(name, order, attempts.errors, within_s)
    finally:
        attempts.close()
    if len(order) > 1:
        _answered[name] = attempt.to
    return attempt.sock


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A socket that connects, and when its time is over (monotonic clock)."""

    to: FoundAddress
    sock: socket.socket
    until_s: float


class _Attempts:
    """Attempts to connect that are under way at the same time."""

    def __init__(self, within_s: float) -> None:
        self.errors: dict[FoundAddress, OSError] = {}
        self._within_s = within_s
        self._by_descriptor: dict[int, _Attempt] = {}
        self._poll = poll()

    def first_of(self, order: Sequence[FoundAddress]) -> _Attempt | None:
        """Return the first attempt that is connected, None if no address takes one. Blocks."""
        waiting, next_s = list(order), monotonic()
        while waiting or self._by_descriptor:
            left_s(self._within_s)
            now_s = monotonic()
            if waiting and (now_s >= next_s or not self._by_descriptor):
                self._begin(waiting.pop(0))
                next_s = now_s + NEXT_AFTER_S
            failed_before = len(self.errors)
            connected = self._wait(next_s if waiting else now_s + LOOK_EVERY_S)
            if connected is not None:
                return connected
            self._give_up_late()
            if len(self.errors) > failed_before:
                next_s = monotonic()
        return None

    def close(self) -> None:
        """Close the sockets of all attempts but the one that was returned."""
        for attempt in self._by_descriptor.values():
            attempt.sock.close()

    def _begin(self, to: FoundAddress) -> None:
        family, address = to
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            # This machine lacks the family, or has no file descriptor left.
            self.errors[to] = error
            return
        sock.setblocking(False)
        watch(lambda: sock)
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            self.errors[to] = OSError(code, os.strerror(code))
            sock.close()
            return
        self._by_descriptor[sock.fileno()] = _Attempt(to, sock, monotonic() + self._within_s)
        self._poll.register(sock.fileno(), POLLOUT)

    def _wait(self, until_s: float) -> _Attempt | None:
        """Block until an attempt is connected or has failed, at most until `until_s`. Return one that is connected."""
        wait_s = max(0.0, min(until_s - monotonic(), LOOK_EVERY_S))
        for descriptor, _ in self._poll.poll(wait_s * 1000) if self._by_descriptor else ():
            attempt = self._by_descriptor[descriptor]
            code = _connect_error(attempt.sock)
            if not code:
                return self._by_descriptor.pop(descriptor)
            self._fail(descriptor, OSError(code, os.strerror(code)))
        return None

    def _give_up_late(self) -> None:
        now_s = monotonic()
        for descriptor, attempt in tuple(self._by_descriptor.items()):
            if now_s >= attempt.until_s:
                self._fail(descriptor, TimeoutError(f"no answer within {self._within_s:.0f} s"))

    def _fail(self, descriptor: int, error: OSError) -> None:
        attempt = self._by_descriptor.pop(descriptor)
        self.errors[attempt.to] = error
        self._poll.unregister(descriptor)
        attempt.sock.close()


def _connect_error(sock: socket.socket) -> int:
    """Return the error number of a connect that is over, 0 if the socket is connected."""
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if not code:
        try:
            sock.getpeername()
        except OSError as error:
            # A deadline has shut it down.
            return error.errno or errno.ENOTCONN
    return code


def _in_order(addresses: Sequence[FoundAddress], known: FoundAddress | None) -> list[FoundAddress]:
    """Return `addresses` with families in turn, beginning with that of the first, and `known` first of all. Pure."""
    unique = list(dict.fromkeys(addresses))
    families = dict.fromkeys(family for family, _ in unique)
    in_turn = zip_longest(*([each for each in unique if each[0] == family] for family in families))
    order = [each for each in chain.from_iterable(in_turn) if each is not None]
    return sorted(order, key=lambda each: each != known)


def _error(
    name: str,
    order: Sequence[FoundAddress],
    errors: Mapping[FoundAddress, OSError],
    within_s: float,
) -> OSError:
    """Return the error that names every address and why it took no connection. Pure."""
    if not order:
        return UnansweredError(errno.EHOSTUNREACH, f"{name.rpartition(':')[0]} has no address")
    if len(order) == 1 and not isinstance(errors[order[0]], TimeoutError):
        return errors[order[0]]
    reasons = [f"{found[1][0]} ({_reason(errors[found])})" for found in order]
    first = errors[order[0]].errno or errno.ETIMEDOUT
    if len(order) == 1:
        return UnansweredError(first, f"{order[0][1][0]} does not answer within {within_s:.0f} s")
    return UnansweredError(first, f"no address of {name} answers: {', '.join(reasons)}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
