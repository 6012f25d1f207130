"""Whether the kernel looks after idle connections: what /proc says of the timers of a process's sockets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

KEEP_ALIVE = "02"
"""The timer of a connection that has nothing under way, in /proc/net/tcp (kernel: proc_net_tcp)."""


def idle_timers_s(pids: Iterable[int], port: int) -> list[float | None]:
    """For each connection of those processes to `port`, when the kernel will next look whether the other end is still
    there; None where it never will, or is busy with something else."""
    timers: dict[int, float | None] = {}
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, _, _, timer, *_ = line.split()
        active, _, when = timer.partition(":")
        waits_s = int(when, 16) / ticks_per_s if active == KEEP_ALIVE else None
        timers[int(local.rpartition(":")[2], 16)] = waits_s
    found = []
    for pid in pids:
        for connection in psutil.Process(pid).net_connections("tcp4"):
            if connection.raddr and connection.raddr.port == port:
                found.append(timers.get(connection.laddr.port))
    return found
