"""Facts about the machine of a race: the CPUs that telemon may use, and the software."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("hiredis", "redis", "pymysql")
"""Libraries that affect measured values."""


def machine_facts(root: Path = Path("/")) -> dict[str, object]:
    """Return facts about the machine under the keys of the result JSON.

    - `cpus`: CPUs of the machine; `cpus_allowed`: those that this process may use.
    - `cpu_limit`: limit of its control group, in CPUs; None if there is none.
    - `system`: operating system, release and architecture; `versions`: Python and libraries.
    """
    return {
        "cpus": os.cpu_count(),
        "cpus_allowed": _allowed(),
        "cpu_limit": cpu_limit(root),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **_libraries()},
    }


def cpu_limit(root: Path = Path("/")) -> float | None:
    """Return the CPU limit of this process's control groups, in CPUs, or None if they set none.

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
        # In a container the path may be that of the host and not visible here; the container's root
        # is the group then.
        for directory in (group, *group.parents):
            if directory.is_relative_to(mount):
                limits_processors.append(_limit_at(directory))
    return min((limit for limit in limits_processors if limit is not None), default=None)


def _limit_at(group: Path) -> float | None:
    """Return the limit of one group, in CPUs: quota divided by period, both in us; None if there is none."""
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
