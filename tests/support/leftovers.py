"""Whether anything of a sandbox is left: its processes, its directories."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import psutil

GONE_WAIT_S = 2.0
"""What is allowed after a SIGKILL of telemon."""


def inhabitants(base: Path) -> list[psutil.Process]:
    """Every living process that works below `base` or has it in its command line, besides this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == psutil.Process().pid or process.status() == psutil.STATUS_ZOMBIE:
                continue
            below = Path(process.cwd()).is_relative_to(base)
            if below or str(base) in "\0".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those of `processes` that have not ended; one that took a number over is another process."""
    return [
        process
        for process in processes
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]


def assert_gone(
    base: Path, processes: Iterable[psutil.Process], within_s: float = GONE_WAIT_S
) -> None:
    """Fail unless, in time, `base` is empty, none of `processes` lives, and no other works in it."""
    kept = list(processes)
    until = time.monotonic() + within_s
    while True:
        left = (list(base.iterdir()), living(kept))
        if left == ([], []):
            break
        assert time.monotonic() < until, f"left behind after {within_s} s: {left}"
        time.sleep(0.02)
    assert inhabitants(base) == []
