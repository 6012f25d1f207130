"""Read the load of this machine: processors, memory, network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class HostLoad:
    """The load of this machine at one moment.

    `cpu_share` is the share of all processors in use (0 to 1), `cpus` their number. Memory is in bytes, network traffic
    in bytes per second over all interfaces. The network fields are None where the platform does not report traffic.
    """

    cpu_share: float
    cpus: int
    memory_used_bytes: int
    memory_bytes: int
    received_bytes_per_s: float | None = None
    sent_bytes_per_s: float | None = None


class HostMonitor:
    """A reader of the load that reads at most once per `interval_s` seconds.

    Performance: one reading costs up to 1 ms, so it is not made for each frame.
    """

    def __init__(
        self, interval_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._read_s: float | None = None
        self._traffic: tuple[int, int] | None = None
        self._load: HostLoad | None = None

    def load(self) -> HostLoad | None:
        """Return the latest load; None if it cannot be read (a container may hide /proc)."""
        now_s = self._clock()
        if self._read_s is not None and now_s - self._read_s < self._interval_s:
            return self._load
        since_s = None if self._read_s is None else now_s - self._read_s
        self._read_s = now_s
        try:
            self._load = self._read(since_s)
        except (psutil.Error, OSError, RuntimeError, NotImplementedError):
            self._load = None
        return self._load

    def _read(self, since_s: float | None) -> HostLoad:
        """Read the load. `since_s` is the time since the previous reading in seconds; None for the first one."""
        memory = psutil.virtual_memory()
        received = sent = None
        try:
            counters = psutil.net_io_counters()
        except OSError:
            counters = None
        if counters is not None:
            traffic = (counters.bytes_recv, counters.bytes_sent)
            if self._traffic is not None and since_s:
                received = max(0, traffic[0] - self._traffic[0]) / since_s
                sent = max(0, traffic[1] - self._traffic[1]) / since_s
            self._traffic = traffic
        return HostLoad(
            cpu_share=psutil.cpu_percent(None) / 100,
            cpus=psutil.cpu_count() or 1,
            memory_used_bytes=memory.total - memory.available,
            memory_bytes=memory.total,
            received_bytes_per_s=received,
            sent_bytes_per_s=sent,
        )
