"""Reads the facts about the machine of a race: processors, memory, their limits, and software versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from engines.host.control_groups import cpu_limit, memory_limit_bytes
from engines.model.environment import MachineFacts

LIBRARIES = ("hiredis", "redis", "pymysql")
"""The client libraries whose versions are in the result: they can change what is measured."""


def machine_facts(root: Path = Path("/")) -> MachineFacts:
    """Return the facts about this machine. The control groups are read below the file system `root`."""
    return MachineFacts(
        cpus=os.cpu_count(),
        cpus_allowed=_allowed(),
        cpu_limit=cpu_limit(root),
        memory_bytes=_memory_bytes(),
        memory_limit_bytes=memory_limit_bytes(root),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        versions={"python": platform.python_version(), **_libraries()},
    )


def _allowed() -> int | None:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_bytes() -> int | None:
    """Return the memory of this machine; None if it cannot be read (a container may hide /proc)."""
    try:
        return psutil.virtual_memory().total
    except (psutil.Error, OSError, RuntimeError, NotImplementedError):
        return None


def _libraries() -> dict[str, str]:
    """Return the version of each library in `LIBRARIES`, or "not installed"."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
