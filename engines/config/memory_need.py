"""Memory that private servers need, and the sizes with which they fit into what there is."""

from __future__ import annotations

from collections.abc import Collection

from engines.model.lanes import LANES

SIZES_BYTES = (256 << 20, 128 << 20, 64 << 20)
"""Sizes of a buffer pool and of a cache, the usual one first: all of them have the same, so that the lanes stay alike.

Halves, because Oracle's MySQL rounds a buffer pool up to a multiple of 128 MiB from there on. With the least, the
50,000 hot cars still fit, and so do the buffers of clients, which Redis counts as memory of the cache."""

MYSQL_BYTES = 128 << 20
"""A MariaDB without its buffer pool: its program, log buffer and some hundred connections."""

CACHE_BYTES = 32 << 20
"""A Redis beside what it counts: its program, and what its allocator wastes."""

CLUSTER_BYTES = 96 << 20
"""Three Redis nodes, 50,000 keys and the copies of their pages while an append-only file is rewritten."""

TELEMON_BYTES = 96 << 20
"""The parent process with its screen, and the supervisor."""

ENGINE_BYTES = 32 << 20
"""One engine process."""


def needed_memory_bytes(
    lanes: Collection[str], size_bytes: int, engine_processes: int | None = None
) -> int:
    """Return how many bytes a race with private servers for `lanes` needs, with buffer pools and cache of `size_bytes`.

    `engine_processes` is the number of all engine processes; None for one per lane and role.
    """
    servers = sum(
        (MYSQL_BYTES + size_bytes if LANES[lane].has_mysql else 0)
        + (CACHE_BYTES + size_bytes if LANES[lane].has_cache else 0)
        + (CLUSTER_BYTES if LANES[lane].is_cluster else 0)
        for lane in lanes
    )
    engines = 2 * len(lanes) if engine_processes is None else engine_processes
    return servers + TELEMON_BYTES + engines * ENGINE_BYTES


def fitting_size_bytes(
    lanes: Collection[str], free_bytes: int | None, engine_processes: int | None = None
) -> int | None:
    """Return the largest of `SIZES_BYTES` with which a race with private servers for `lanes` fits into `free_bytes`.

    None if not even the least fits. The usual size if it is not known how much is free.
    """
    if free_bytes is None:
        return SIZES_BYTES[0]
    for size_bytes in SIZES_BYTES:
        if needed_memory_bytes(lanes, size_bytes, engine_processes) <= free_bytes:
            return size_bytes
    return None


def memory_step(lanes: Collection[str]) -> str:
    """Return what a user can do where private servers for `lanes` do not fit into the memory."""
    raised = "raise the memory limit of the control group"
    if len(lanes) > 1:
        return f"end other programs, {raised}, or race fewer lanes (--lanes)"
    return f"end other programs, or {raised}"
