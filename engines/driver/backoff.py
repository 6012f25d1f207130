"""Pauses between attempts to reconnect, of one connection and of all connections to a server."""

from __future__ import annotations

from collections.abc import Callable
from random import random
from time import perf_counter_ns

FIRST_S = 0.02
PER_S = 20
"""Reconnects per second to one server from one engine process, beyond one at once for each connection."""

BURST_EVERY_NS = 10_000_000_000
"""Least time between two moments at which all connections to a server reconnect at once because it is back."""

CAP_S = 0.5
"""Upper limit of the pause. Below one second, so that a lane continues soon after its server is back."""


def delay_s(failures: int) -> float:
    """Return the pause in seconds after `failures` failures in a row.

    The pause doubles from `FIRST_S` to `CAP_S`. Its upper half is random, so that connections lost together do not
    reconnect at the same moment.
    """
    longest = min(CAP_S, FIRST_S * 2.0 ** min(max(failures, 1) - 1, 16))
    return longest * (0.5 + random() / 2)


class ReconnectLimit:
    """Limit on the rate at which an engine process reconnects to one server.

    It is a token bucket: each connection may reconnect once at once, as after a failover, and from then on all of them
    together `PER_S` times a second. An attempt that succeeds fills it again, so that a server that comes back gets all
    of its connections at once, but not more often than once in `BURST_EVERY_NS`: a server may take connections and
    close them.
    """

    def __init__(self, clock_ns: Callable[[], int] = perf_counter_ns) -> None:
        self._clock_ns = clock_ns
        self._connections = 0
        self._tokens = 0.0
        """Attempts that may begin at once; negative while attempts wait for their turn."""
        self._counted_ns = clock_ns()
        self._filled_ns = self._counted_ns - BURST_EVERY_NS

    def add_connection(self) -> None:
        """Count one more connection to the server, which may reconnect once at once."""
        self._connections += 1
        self._tokens += 1

    def remove_connection(self) -> None:
        """Count one connection less."""
        self._connections -= 1
        self._tokens = min(self._tokens, self._burst)

    def take_turn(self, earliest_ns: int) -> int:
        """Return when an attempt may begin, `earliest_ns` or later. The attempt is counted."""
        now_ns = self._clock_ns()
        grown = (now_ns - self._counted_ns) / 1e9 * PER_S
        self._tokens, self._counted_ns = min(self._burst, self._tokens + grown) - 1, now_ns
        wait_s = -self._tokens / PER_S if self._tokens < 0 else 0.0
        return max(earliest_ns, now_ns + int(wait_s * 1e9))

    def succeeded(self) -> bool:
        """Note that an attempt succeeded. Return whether all that wait for their turn may begin now."""
        now_ns = self._clock_ns()
        if self._tokens >= 0 or now_ns - self._filled_ns < BURST_EVERY_NS:
            return False
        self._tokens, self._counted_ns, self._filled_ns = 0.0, now_ns, now_ns
        return True

    @property
    def _burst(self) -> float:
        return max(1.0, self._connections)
