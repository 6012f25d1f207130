"""Pauses between attempts to reconnect, of one connection and of all connections to a server."""

from __future__ import annotations

from collections.abc import Callable
from random import random
from threading import Lock
from time import perf_counter_ns, sleep

FIRST_S = 0.02
PER_S = 20
"""Reconnects per second to one server from all engine processes, beyond one at once for each connection."""

MOST_PER_S = 200
"""Reconnects in any one second to one server from all engine processes, those at once included.

A server that comes back has 1,000 connections again after 5 s. More would look like an attack.
"""

BURST_EVERY_NS = 10_000_000_000
"""Least time between two moments at which all connections to a server reconnect at once because it is back.

Each time it doubles, until the server has kept its connections for as long: who takes and closes them is not back.
"""

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
    of its connections at once, but ever more seldom (`BURST_EVERY_NS`): a server may take connections and close them.
    Whatever is at once goes through `pass_gate`, at most `MOST_PER_S` times a second.

    Both rates are those of the server. Each of the `processes` engine processes that connect to it has its share.
    """

    def __init__(self, processes: int = 1, clock_ns: Callable[[], int] = perf_counter_ns) -> None:
        self._clock_ns = clock_ns
        self._per_s = PER_S / processes
        # A second may begin with an attempt, so it holds one more than this rate.
        most_per_s = max(MOST_PER_S - processes, 1) / processes
        self._gap_ns = int(1e9 / most_per_s) + 1
        """Least time between two attempts."""
        self._gate = Lock()
        self._passed_ns = clock_ns() - self._gap_ns
        """When the last attempt passed the gate."""
        self._connections = 0
        self._tokens = 0.0
        """Attempts that may begin at once; negative while attempts wait for their turn."""
        self._counted_ns = clock_ns()
        self._filled_ns = self._counted_ns - BURST_EVERY_NS
        self._fill_every_ns = BURST_EVERY_NS
        self._lost_ns = self._counted_ns - BURST_EVERY_NS
        """When a connection was last to be opened again."""

    def add_connection(self) -> None:
        """Count one more connection to the server, which may reconnect once at once."""
        self._connections += 1
        self._tokens += 1

    def remove_connection(self) -> None:
        """Count one connection less. It takes its attempt with it: one that is added later brings no further one."""
        self._connections -= 1
        self._tokens = min(self._tokens - 1, self._burst)

    def take_turn(self, earliest_ns: int) -> int:
        """Return when an attempt may begin, `earliest_ns` or later. The attempt is counted."""
        now_ns = self._clock_ns()
        if not self.is_troubled:
            self._fill_every_ns = BURST_EVERY_NS
        self._lost_ns = now_ns
        grown = (now_ns - self._counted_ns) / 1e9 * self._per_s
        self._tokens, self._counted_ns = min(self._burst, self._tokens + grown) - 1, now_ns
        wait_s = -self._tokens / self._per_s if self._tokens < 0 else 0.0
        return max(earliest_ns, now_ns + int(wait_s * 1e9))

    def pass_gate(self, sleep_s: Callable[[float], object] = sleep) -> int:
        """Block until an attempt may begin, and return that time in ns.

        Any thread may call it; the threads wait for each other.
        """
        with self._gate:
            while (wait_ns := self._passed_ns + self._gap_ns - self._clock_ns()) > 0:
                sleep_s(wait_ns / 1e9)
            self._passed_ns = passed_ns = self._clock_ns()
        return passed_ns

    def succeeded(self) -> bool:
        """Note that an attempt succeeded. Return whether all that wait for their turn may begin now."""
        now_ns = self._clock_ns()
        if self._tokens >= 0 or now_ns - self._filled_ns < self._fill_every_ns:
            return False
        self._tokens, self._counted_ns, self._filled_ns = 0.0, now_ns, now_ns
        self._fill_every_ns *= 2
        return True

    @property
    def is_troubled(self) -> bool:
        """Return whether a connection to the server was lost, or refused, within the last `BURST_EVERY_NS`."""
        return self._clock_ns() - self._lost_ns < BURST_EVERY_NS

    @property
    def _burst(self) -> float:
        return max(1.0, self._connections)
