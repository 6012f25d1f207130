"""Track the period in which a lane is client-bound."""

from __future__ import annotations

END_AFTER_S = 2.0
"""Seconds without any limit after which a client-bound period ends.

An engine process at its limit is above it in one interval and below it in the next. With 0 the badge would appear and
disappear up to four times a second, and nobody could read it.
"""


class ClientBoundPeriod:
    """The limits of one lane, from the interval that made it client-bound until none was reached for `END_AFTER_S`."""

    def __init__(self) -> None:
        self.limits: tuple[str, ...] = ()
        """The limits that were reached last; empty outside of a client-bound period."""
        self._last_bound_s = 0.0

    def add(self, at_s: float, limits: tuple[str, ...]) -> bool:
        """Add the limits of the interval that ended at `at_s` (monotonic, seconds).

        Return whether a period begins with it.
        """
        begins = bool(limits) and not self.limits
        if limits:
            self.limits, self._last_bound_s = limits, at_s
        elif at_s - self._last_bound_s >= END_AFTER_S:
            self.end()
        return begins

    def end(self) -> None:
        """End the period, because the lane does no work that could be limited."""
        self.limits = ()
