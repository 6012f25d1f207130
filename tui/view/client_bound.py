"""A time in which a lane is client-bound."""

from __future__ import annotations

END_AFTER_S = 2.0
"""So long nothing must have limited a lane before it is over: an engine at its limit is above it in one interval and
below it in the next, and a badge that comes and goes four times a second is read by nobody."""


class ClientBoundPeriod:
    """Says what limits a lane, from the interval in which it began until there was calm. One for each lane."""

    def __init__(self) -> None:
        self.limits: tuple[str, ...] = ()
        """What limited it when it last was; empty outside of a spell."""
        self._bound_s = 0.0

    def add(self, at_s: float, limits: tuple[str, ...]) -> bool:
        """Take in what limited the lane in the interval that ended at `at_s`; whether a spell begins with it."""
        begins = bool(limits) and not self.limits
        if limits:
            self.limits, self._bound_s = limits, at_s
        elif at_s - self._bound_s >= END_AFTER_S:
            self.end()
        return begins

    def end(self) -> None:
        """There is nothing any more that could be limited."""
        self.limits = ()
