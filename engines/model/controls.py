"""What can be asked of a race while it runs. Frozen values that travel from the screen to the engine processes."""

from __future__ import annotations

from dataclasses import dataclass

from engines.model.roles import Role


@dataclass(frozen=True, slots=True)
class Pause:
    """No new operation begins until `Resume`; those under way end, and count."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Ends a `Pause`."""


@dataclass(frozen=True, slots=True)
class Connections:
    """From now on every lane has `count` (1 or more) connections of this role."""

    role: Role
    count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """From now on a write batch has `rows` (1 or more) rows, in every lane."""

    rows: int


@dataclass(frozen=True, slots=True)
class Ttl:
    """From now on a filled key lives for `ttl_s` seconds (0.001 or more). Keys already in the cache keep theirs."""

    ttl_s: float


@dataclass(frozen=True, slots=True)
class Rate:
    """From now on every lane has `per_s` operations per second due in each role (an open loop); None: as fast as it
    goes (a closed loop). What was due before is forgotten."""

    per_s: float | None


@dataclass(frozen=True, slots=True)
class FlushCache:
    """Remove telemon's own keys from the cache of lane `cached`, to show a cold start. Foreign keys stay."""


@dataclass(frozen=True, slots=True)
class ResetTotals:
    """Count from zero again: what was measured so far leaves the totals and the result."""


@dataclass(frozen=True, slots=True)
class Release:
    """Let a lane that waits at the start line go; `lane` None releases all of them."""

    lane: str | None = None


Control = Pause | Resume | Connections | Batch | Ttl | Rate | FlushCache | ResetTotals | Release
"""Anything that can be asked."""


def changes_load(control: Control) -> bool:
    """Whether another load is offered from then on, so that a race has no one rate."""
    return isinstance(control, Rate | Pause | Resume)


def describe(control: Control) -> str:
    """A control in words, for the event log."""
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
