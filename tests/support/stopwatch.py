"""How long something took, without the time for which this machine had no processor for it."""

from __future__ import annotations

import time
from pathlib import Path

PRESSURE = Path("/proc/pressure/cpu")
"""How long processes have waited for a processor: in the first line, for as long as any of them waited."""


class Stopwatch:
    """Runs from its creation on.

    A promise such as "ends within a second" is one about telemon and not about a machine whose processors others use
    too. `own_s` leaves out the time in which some process of the machine waited for a processor. `elapsed_s` is all of
    it, for a limit that holds on any machine.
    """

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._waited_s = _waited_s()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    @property
    def own_s(self) -> float:
        waited_s = _waited_s()
        if waited_s is None or self._waited_s is None:
            # The kernel does not say: as if every other process had its half.
            return self.elapsed_s / 2
        return max(0.0, self.elapsed_s - (waited_s - self._waited_s))


def _waited_s() -> float | None:
    try:
        some = PRESSURE.read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, IndexError, ValueError):
        return None
