"""How an operation ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """An acknowledged operation: how many rows it moved and how a read was answered (see `frame.Cache`).

    Compared by identity: an engine counts how often it saw each object, which costs one dict look-up an operation.
    """

    rows: int = 0
    hits: int = 0
    misses: int = 0
    fills: int = 0
    duplicate_fills: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """A failed operation, with the kind of its error: `mysql_1213_deadlock`, `redis_clusterdown`."""

    kind: str


@lru_cache(maxsize=1024)
def completed(
    rows: int = 0,
    hits: int = 0,
    misses: int = 0,
    fills: int = 0,
    duplicate_fills: int = 0,
    skipped: int = 0,
) -> Completed:
    """The `Done` with these counts, the same object each time."""
    return Completed(rows, hits, misses, fills, duplicate_fills, skipped)
