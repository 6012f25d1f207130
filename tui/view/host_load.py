"""What the machine under the race is doing: processors, memory, network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class HostLoad:
    """`cpu_share` of all processors (0 to 1), memory in bytes, network in bytes per second over all interfaces.
    None where the platform does not say."""

    cpu_share: float
    cpus: int
    memory_used_bytes: int
    memory_bytes: int
    received_bytes_per_s: float | None = None
    sent_bytes_per_s: float | None = None


class HostMonitor:
    """Reads the load at most once per `interval_s`: a reading costs up to a millisecond, so it is not made
    per frame."""

    def __init__(
        self, interval_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._read_s: float | None = None
        self._traffic: tuple[int, int] | None = None
        self._load: HostLoad | None = None

    def load(self) -> HostLoad | None:
        """The latest load; None when it cannot be read (a container may hide /proc)."""
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
