"""The immutable picture of one interval: the one thing that is shown, recorded, replayed and reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engines.metrics.stats import CacheStats, ClientStats, RoleStats
from engines.model.controls import Control


class LaneState(StrEnum):
    """What a lane is doing: `starting` before its connections stand, `warming` while what it does is thrown away,
    `racing`, `paused` by the user, `reconnecting` while a connection that it needs is lost, `down` when an engine
    process of it is gone, `done` after its last operation."""

    STARTING = "starting"
    WARMING = "warming"
    RACING = "racing"
    PAUSED = "paused"
    RECONNECTING = "reconnecting"
    DOWN = "down"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class LaneFrame:
    """One lane in one interval. `backlog` counts, by role, the operations of an open loop that were due at its end
    and had not begun, and `late` those that began late in it; `overloaded` is set when the backlog is worth more than
    a second of what is offered. `redirects` counts MOVED and ASK, `reconnects` connections opened anew; `server`
    holds the servers' own counters since the race began (names as the servers have them), as last read. `heat` is
    the round in which the lane has the machine to itself, from 1; 0 where all lanes race together."""

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


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the event log. `lane` is a lane's id, or None for the whole race. `text` comes partly from servers:
    plain text, never markup. `control` is the control that was applied, None for any other event."""

    at_utc_s: float
    lane: str | None
    text: str
    control: Control | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """All lanes over one interval.

    `seq` counts from 0 without gaps; `at_utc_s` (seconds since the epoch) and `at_monotonic_s` are the end of the
    interval; `interval_s` is its true length; `elapsed_s` is the measured time so far, 0.0 while warming.
    """

    seq: int
    at_utc_s: float
    at_monotonic_s: float
    interval_s: float
    elapsed_s: float
    lanes: tuple[LaneFrame, ...]
    events: tuple[Event, ...] = ()
