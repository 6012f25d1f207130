"""How long something took, without the time for which this machine had no processor for it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

PROC = Path("/proc")

SAMPLE_EVERY_S = 0.05
"""What the kernel counts of a thread is gone with it: it is read so often."""

LONGEST_S = 120.0
"""After that nobody is expected to ask any more: the test has failed."""

BUSY_SHARE = 0.1
"""A machine on which somebody waited for a processor for less than this share of the time was not busy: what is
measured there counts in full."""


class Stopwatch:
    """Runs from its creation until it is asked first.

    A promise such as "ends within a second" is one about telemon and not about a machine whose processors others use
    too. `own_s` leaves out the time for which threads of this process and of its descendants were ready to run and
    waited for a processor, if the machine was busy. Where the kernel does not count it, nothing is left out.
    `elapsed_s` is all of it, for a limit that holds on any machine.
    """

    def __init__(self) -> None:
        self._before_s = dict(_thread_waits_s(os.getpid()))
        self._last_s = dict(self._before_s)
        self._pressure_s = _pressure_s()
        self._began_s = time.monotonic()
        self._ended = Event()
        self._times: tuple[float, float] | None = None
        self._sampler = Thread(target=self._sample, name="stopwatch", daemon=True)
        self._sampler.start()

    @property
    def elapsed_s(self) -> float:
        return self._stopped()[0]

    @property
    def own_s(self) -> float:
        return self._stopped()[1]

    def _stopped(self) -> tuple[float, float]:
        if self._times is None:
            elapsed_s, pressure_s = time.monotonic() - self._began_s, _pressure_s()
            self._ended.set()
            self._sampler.join()
            some_s = (
                None
                if pressure_s is None or self._pressure_s is None
                else pressure_s - self._pressure_s
            )
            waited_s = sum(
                last_s - self._before_s.get(of, 0.0) for of, last_s in self._last_s.items()
            )
            self._times = elapsed_s, own_time_s(elapsed_s, some_s, waited_s)
        return self._times

    def _sample(self) -> None:
        until_s = self._began_s + LONGEST_S
        while not self._ended.wait(SAMPLE_EVERY_S) and time.monotonic() < until_s:
            self._last_s.update(_thread_waits_s(os.getpid()))
        self._last_s.update(_thread_waits_s(os.getpid()))


def own_time_s(elapsed_s: float, some_s: float | None, waited_s: float) -> float:
    """Return what of `elapsed_s` counts. Pure.

    Some process of the machine waited for a processor for `some_s` (None if that is not known), and those that are
    measured for `waited_s`, all their threads together.
    """
    if some_s is None or some_s < BUSY_SHARE * elapsed_s:
        return elapsed_s
    return max(0.0, elapsed_s - min(some_s, waited_s))


def _pressure_s() -> float | None:
    """Return for how long some process has waited for a processor since the start of the machine."""
    try:
        some = (PROC / "pressure" / "cpu").read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, IndexError, ValueError):
        return None


def _thread_waits_s(pid: int) -> Iterator[tuple[tuple[int, int], float]]:
    """Yield for how long each thread of a process and of its descendants has waited for a processor, by both ids."""
    tasks: list[Path] = []
    with suppress(OSError):
        tasks = list((PROC / str(pid) / "task").iterdir())
    for task in tasks:
        with suppress(OSError, IndexError, ValueError):
            yield (pid, int(task.name)), int((task / "schedstat").read_text().split()[1]) / 1e9
        children: list[str] = []
        with suppress(OSError):
            children = (task / "children").read_text().split()
        for child in children:
            yield from _thread_waits_s(int(child))
