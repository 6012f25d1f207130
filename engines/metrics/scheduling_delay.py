"""Time for which telemon was ready to run and waited for a processor.

Every latency contains it; no server causes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engines.metrics.merge import COUNTER

SCHEDSTAT = Path("/proc/thread-self/schedstat")
"""Counters of the thread that reads the file: ns on a processor, ns ready to run but waiting, number of time slices.

See sched-stats.rst in Linux' Documentation/scheduler.
"""


@dataclass(frozen=True, slots=True)
class SchedulingDelay:
    """Time for which an event loop was ready to run and had no processor, and the number of turns it is spread over.

    A turn is one in which the loop noticed replies. Where the loop was given a processor more often than that, the
    number of time slices is used instead.
    """

    waited_ns: int = field(default=0, metadata=COUNTER)
    turns: int = field(default=0, metadata=COUNTER)

    @property
    def mean_us(self) -> float | None:
        """Return the mean delay of a turn in us; None where it is not known.

        Replies that are noticed in a turn waited as long. More replies are noticed after long delays than after short
        ones, so the mean over replies is rather higher.
        """
        return self.waited_ns / self.turns / 1000 if self.turns else None


UNKNOWN = SchedulingDelay()
"""Delay of an event loop of which the kernel tells nothing."""


class SchedstatReader:
    """Reader of the kernel's scheduling counters of the calling thread."""

    def __init__(self, schedstat: Path = SCHEDSTAT) -> None:
        self._schedstat = schedstat
        self._waited_ns = 0
        self._given = 0
        self.take(0)

    def take(self, turns: int) -> SchedulingDelay:
        """Return the delay since the last take, in which the loop noticed replies in `turns` turns.

        Return `UNKNOWN` where the kernel does not tell it.
        """
        try:
            _, waited_ns, given = map(int, self._schedstat.read_bytes().split())
        except (OSError, ValueError):
            return UNKNOWN
        wait = SchedulingDelay(waited_ns - self._waited_ns, max(turns, given - self._given))
        self._waited_ns, self._given = waited_ns, given
        return wait
