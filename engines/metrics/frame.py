"""Immutable frame of one interval, which is shown, recorded, replayed and reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engines.metrics.stats import CacheStats, ClientStats, IntervalStats, RoleStats
from engines.model.controls import Control
from engines.model.deaths import Death
from engines.model.roles import ROLES, Role


class LaneState(StrEnum):
    """State of a lane.

    `starting`: its connections are not all open. `warming`: it works, and the counts are discarded. `racing`: its
    counts are measured. `paused`: by the user. `reconnecting`: a connection that it needs is lost. `down`: one of its
    engine processes is gone. `done`: after its last operation.
    """

    STARTING = "starting"
    WARMING = "warming"
    RACING = "racing"
    PAUSED = "paused"
    RECONNECTING = "reconnecting"
    DOWN = "down"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class LaneFrame:
    """One lane in one interval.

    `backlog` counts by role the operations of an open loop that were due at the end of the interval and had not begun.
    `late` counts those that began late in it. `overloaded` is set if the backlog is worth more than a second of the
    offered load. `redirects` counts MOVED and ASK replies, `reconnects` connections that were opened again. `server`
    holds the servers' own counters since the race began, under the servers' names, as last read. `heat` is the number
    of the round in which the lane runs alone, from 1; 0 where all lanes race together.
    """

    lane: str
    state: LaneState
    write: RoleStats = field(default_factory=RoleStats)
    read: RoleStats = field(default_factory=RoleStats)
    cache: CacheStats = field(default_factory=CacheStats)
    backlog: Mapping[str, int] = field(default_factory=dict)
    late: int = 0
    overloaded: bool = False
    redirects: int = 0
    reconnects: int = 0
    heat: int = 0
    client: ClientStats = field(default_factory=ClientStats)
    server: Mapping[str, int] = field(default_factory=dict)

    def stats(self, role: Role) -> IntervalStats:
        """Return the stats of one role; only reads have cache stats."""
        return (
            IntervalStats(self.write) if role == "write" else IntervalStats(self.read, self.cache)
        )

    def role(self, role: str) -> RoleStats:
        """Return the numbers of the writers ("write") or of the readers ("read")."""
        return self.write if role == "write" else self.read

    @property
    def roles(self) -> tuple[tuple[Role, RoleStats], ...]:
        """Return (role, numbers) of writers and readers."""
        return tuple((role, self.role(role)) for role in ROLES)


@dataclass(frozen=True, slots=True)
class Event:
    """Entry of the event log.

    `lane` is a lane's id, or None for the whole race. `text` comes partly from servers: it is plain text, never markup.
    `control` is the control that was applied and `death` the death of a process, None for any other event.
    """

    at_utc_s: float
    lane: str | None
    text: str
    control: Control | None = None
    death: Death | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """All lanes in one interval.

    `seq` counts from 0 without gaps. `at_utc_s` (seconds since the epoch) and `at_monotonic_s` are the end of the
    interval, `interval_s` is its true length in s. `elapsed_s` is the measured time so far in s, 0.0 in the warm-up.
    """

    seq: int
    at_utc_s: float
    at_monotonic_s: float
    interval_s: float
    elapsed_s: float
    lanes: tuple[LaneFrame, ...]
    events: tuple[Event, ...] = ()
