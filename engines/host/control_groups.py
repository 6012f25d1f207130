"""Limits of the control groups (cgroups) of this process: processors and memory.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

NO_LIMIT_BYTES = 1 << 60
"""From here on, a limit is none. Version 1 calls none the largest multiple of a page below 2 ** 63."""

CACHED_FILES = frozenset(
    {"inactive_file", "active_file", "total_inactive_file", "total_active_file"}
)
"""Lines of memory.stat: copies of files, which the kernel gives up when memory is needed. In version 1 those of the
group alone, and with "total" those of the groups below it too."""


def cpu_limit(root: Path = Path("/")) -> float | None:
    """Return the CPU limit of this process's control groups in processors; None without a limit.

    It is the least of the group and all its ancestors below the file system `root`. Version 2: cpu.max, "max 100000" or
    "150000 100000" (quota and period in us). Version 1: cpu.cfs_quota_us and cpu.cfs_period_us.
    """
    found = (_cpu_limit_at(group) for group in _groups(root, "cpu"))
    return min((limit for limit in found if limit is not None), default=None)


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory limit of this process's control groups in bytes; None without a limit.

    It is the least of the group and all its ancestors below the file system `root`. Version 2: memory.max. Version 1:
    memory.limit_in_bytes.
    """
    found = (_memory_limit_at(group) for group in _groups(root, "memory"))
    return min((limit for limit in found if limit is not None), default=None)


def free_memory_bytes(root: Path = Path("/")) -> int | None:
    """Return how many bytes of memory this process and its children may still take; None if nothing is known of it.

    It is what the machine has available, or what the tightest of the control groups below the file system `root` leaves
    of its limit: what its processes hold is gone, and what it caches of files is not.
    """
    try:
        available: list[int] = [psutil.virtual_memory().available]
    except (psutil.Error, OSError, RuntimeError, NotImplementedError):
        available = []
    for group in _groups(root, "memory"):
        limit = _memory_limit_at(group)
        if limit is not None:
            available.append(max(0, limit - _held_bytes(group)))
    return min(available, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the directories of the groups that limit `controller` for this process, and of all their ancestors."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    mounts = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            places = [mounts]
        elif controller in controllers.split(","):
            # Where several share a directory, its name may have them in another order.
            places = [mounts / controllers, mounts / controller]
        else:
            continue
        for mount in places:
            group = mount / path.lstrip("/")
            # In a container the path may be that of the host, which is not visible: the own group is the root then.
            for directory in (group, *group.parents):
                if directory.is_relative_to(mount):
                    yield directory


def _cpu_limit_at(group: Path) -> float | None:
    """Return the limit of one group in processors: its quota divided by its period, both in us."""
    fields = (_text(group / "cpu.max") or "").split()
    if len(fields) != 2:
        fields = [
            (_text(group / name) or "").strip()
            for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        ]
    quota_us, period_us = fields
    # "max" and "-1" are no limit.
    return int(quota_us) / int(period_us) if quota_us.isdigit() and period_us.isdigit() else None


def _memory_limit_at(group: Path) -> int | None:
    """Return the limit of one group in bytes, None if it has none."""
    limit = _number(group / "memory.max")
    if limit is None:
        limit = _number(group / "memory.limit_in_bytes")
    return None if limit is None or limit >= NO_LIMIT_BYTES else limit


def _held_bytes(group: Path) -> int:
    """Return how many bytes the processes of one group hold, without what the kernel can take back."""
    used = _number(group / "memory.current")
    if used is None:
        used = _number(group / "memory.usage_in_bytes") or 0
    counts = {}
    for line in (_text(group / "memory.stat") or "").splitlines():
        name, _, count = line.partition(" ")
        if name in CACHED_FILES and count.strip().isdigit():
            counts[name] = int(count)
    whole = [count for name, count in counts.items() if name.startswith("total_")]
    return max(0, used - sum(whole or counts.values()))


def _number(file: Path) -> int | None:
    """Return the number in a file; None if there is none, as in "max"."""
    text = (_text(file) or "").strip()
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str | None:
    """Return the text of a file, None if it cannot be read."""
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return None
