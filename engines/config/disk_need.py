"""Room on a disk that private servers need."""

from __future__ import annotations

from collections.abc import Collection

from engines.model.lanes import LANES

MYSQL_BYTES = 256 << 20
"""A MariaDB with the fleet's rows: 128 MiB of redo log, 30 MiB of system tables, undo logs that a race lets grow."""

CLUSTER_BYTES = 192 << 20
"""The append-only files of three Redis nodes. Each is rewritten at 64 MiB (auto-aof-rewrite-min-size)."""

DECK_BYTES_PER_S = 4 << 20
"""Growth of a table under preset deck, whose writers insert new cars without end: 20,000 rows/s of 100 bytes, twice
(the table and its undo logs)."""

DECK_S = 60.0
"""Seconds of preset deck for which there must be room if the race has no end, and at most."""


def needed_bytes(
    lanes: Collection[str], preset: str = "fair", duration_s: float | None = None
) -> int:
    """Return how many bytes the private servers of `lanes` need on their disk for a race."""
    grown = 0
    if preset == "deck":
        grown = int(DECK_BYTES_PER_S * min(DECK_S, DECK_S if duration_s is None else duration_s))
    return sum(
        (MYSQL_BYTES + grown if LANES[lane].has_mysql else 0)
        + (CLUSTER_BYTES if LANES[lane].is_cluster else 0)
        for lane in lanes
    )
