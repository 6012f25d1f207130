"""What can be asked of a race while it runs. Sent to `Race.send` from any thread, and from there to the engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Pause:
    """Let no new operation begin; connections stay open."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Let operations flow again."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Race with `count` connections per lane for a role."""

    role: Literal["write", "read"]
    count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Write `rows` rows per batch, from the next batch on."""

    rows: int


@dataclass(frozen=True, slots=True)
class Ttl:
    """Fill the cache with a time to live of `ttl_s` seconds, from the next fill on."""

    ttl_s: float


@dataclass(frozen=True, slots=True)
class FlushCache:
    """Remove telemon's own keys from the cache, to show a cold start."""


@dataclass(frozen=True, slots=True)
class ResetTotals:
    """Count from zero again."""


@dataclass(frozen=True, slots=True)
class Release:
    """Let a lane that waits at the start line go; None releases every lane."""

    lane: str | None = None


Control = Pause | Resume | Connections | Batch | Ttl | FlushCache | ResetTotals | Release
