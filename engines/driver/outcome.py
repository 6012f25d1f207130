"""Results of operations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """Result of an acknowledged operation: rows written or read, and for reads hits, misses and cache fills.

    The fields are those of `metrics.stats.CacheStats`, and `wrong_content`: a read whose reply was no row of its car.
    Objects compare by identity: the collector counts how often it saw each object, which costs one dict lookup per
    operation.
    """

    rows: int = 0
    hits: int = 0
    misses: int = 0
    fills: int = 0
    duplicate_fills: int = 0
    skipped: int = 0
    wrong_content: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """Result of a failed operation, with its error kind, such as `mysql_1213_deadlock` or `redis_clusterdown`."""

    kind: str


@lru_cache(maxsize=1024)
def completed(
    rows: int = 0,
    hits: int = 0,
    misses: int = 0,
    fills: int = 0,
    duplicate_fills: int = 0,
    skipped: int = 0,
    wrong_content: int = 0,
) -> Completed:
    """Return the `Completed` with these counts; equal counts give the same object."""
    return Completed(rows, hits, misses, fills, duplicate_fills, skipped, wrong_content)
