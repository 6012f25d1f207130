"""How far a lane is with opening its connections, before a race."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LaneConnecting:
    """How many of its `wanted` connections a lane has opened.

    `waiting_for` is the server of the next one as "host:port", empty if all are open.
    """

    lane: str
    opened: int
    wanted: int
    waiting_for: str = ""

    @property
    def complete(self) -> bool:
        """Return whether every connection is open."""
        return self.opened >= self.wanted
