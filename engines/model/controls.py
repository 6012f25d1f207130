"""Controls of a running race: immutable values that travel from the screen to the engine processes."""

from __future__ import annotations

from dataclasses import dataclass

from engines.model.roles import Role


@dataclass(frozen=True, slots=True)
class Pause:
    """Start no new operation until `Resume`. Operations in flight end, and count."""


@dataclass(frozen=True, slots=True)
class Resume:
    """End a `Pause`."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Give every lane `count` (1 or more) connections of this role."""

    role: Role
    count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Give every write batch `rows` (1 or more) rows, in every lane."""

    rows: int


@dataclass(frozen=True, slots=True)
class Ttl:
    """Let a filled key live for `ttl_s` seconds (0.001 or more). Keys already in the cache keep their TTL."""

    ttl_s: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Offer every lane `per_s` operations per second in each role (open loop); None for a closed loop.

    Operations that were due before and have not started are dropped.
    """

    per_s: float | None


@dataclass(frozen=True, slots=True)
class FlushCache:
    """Remove telemon's own keys from the cache of lane `cached`, to show a cold start. Foreign keys stay."""


@dataclass(frozen=True, slots=True)
class ResetTotals:
    """Count from zero again: totals and result lose what was measured so far."""


@dataclass(frozen=True, slots=True)
class Release:
    """Release a lane that waits at the start barrier; `lane` None releases all lanes."""

    lane: str | None = None


Control = Pause | Resume | Connections | Batch | Ttl | Rate | FlushCache | ResetTotals | Release
"""Every control."""


def changes_load(control: Control) -> bool:
    """Return whether the control changes the offered load, so that the race has no single offered rate."""
    return isinstance(control, Rate | Pause | Resume)


def describe(control: Control) -> str:
    """Return the control in words, for the event log and the result."""
    match control:
        case Pause():
            return "load paused"
        case Resume():
            return "load resumed"
        case Connections(role, count):
            return f"{'writer' if role == 'write' else 'reader'} connections: {count} per lane"
        case Batch(rows):
            return f"batch: {rows} rows"
        case Ttl(ttl_s):
            return f"TTL: {ttl_s:g} s"
        case Rate(None):
            return "mode: saturate"
        case Rate(per_s):
            return f"mode: pace, {per_s:g} operations per second and role"
        case FlushCache():
            return "flushing the cache"
        case ResetTotals():
            return "totals reset"
        case Release(None):
            return "all lanes released"
        case Release(lane):
            return f"lane {lane} released"
