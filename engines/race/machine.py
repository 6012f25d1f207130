"""Reads the facts about the machine of a race: processors, their limits, and software versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engines.model.environment import MachineFacts

LIBRARIES = ("hiredis", "redis", "pymysql")
"""The client libraries whose versions are in the result: they can change what is measured."""


def machine_facts(root: Path = Path("/")) -> MachineFacts:
    """Return the facts about this machine. The control groups are read below the file system `root`."""
    return MachineFacts(
        cpus=os.cpu_count(),
        cpus_allowed=_allowed(),
        cpu_limit=cpu_limit(root),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        versions={"python": platform.python_version(), **_libraries()},
    )


def cpu_limit(root: Path = Path("/")) -> float | None:
    """Return the CPU limit of this process's control groups in processors; None without a limit.

    cgroup v2: cpu.max of the group and all its ancestors, "max 100000" or "150000 100000" (quota and period in us).
    cgroup v1: cpu.cfs_quota_us and cpu.cfs_period_us. Source: Linux, Documentation/admin-guide/cgroup-v2.rst,
    scheduler/sched-bwc.rst.
    """
    limits_processors = []
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount = root / "sys/fs/cgroup"
        elif "cpu" in controllers.split(","):
            mount = root / "sys/fs/cgroup" / controllers
        else:
            continue
        group = mount / path.lstrip("/")
        # In a container the path may be that of the host, which is not visible: the own group is the root then.
        for directory in (group, *group.parents):
            if directory.is_relative_to(mount):
                limits_processors.append(_limit_at(directory))
    return min((limit for limit in limits_processors if limit is not None), default=None)


def _limit_at(group: Path) -> float | None:
    """Return the limit of one group in processors: its quota divided by its period, both in us."""
    try:
        quota_us, period_us = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota_us = (group / "cpu.cfs_quota_us").read_text().strip()
            period_us = (group / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return None if quota_us in ("max", "-1") else int(quota_us) / int(period_us)


def _allowed() -> int | None:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _libraries() -> dict[str, str]:
    """Return the version of each library in `LIBRARIES`, or "not installed"."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
