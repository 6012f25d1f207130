"""How long telemon waited for a processor: it is in every latency, and no server's doing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SCHEDSTAT = Path("/proc/thread-self/schedstat")
"""Of the thread that reads it, in ns but for the last: the time on a processor, the time in which it could have run and
waited for one, and how often it was given one (Linux' Documentation/scheduler/sched-stats.rst)."""


@dataclass(frozen=True, slots=True)
class SchedulingDelay:
    """For how long a loop could have run and had no processor, in so many turns: those in which it noticed replies or,
    where these were more, the times that it was given a processor."""

    waited_ns: int = 0
    turns: int = 0

    @property
    def mean_us(self) -> float | None:
        """The mean wait in a turn, which what was noticed in that turn waited too; None where that is not known. More
        is noticed after long waits than after short ones, so that the mean of the replies is higher rather than lower.
        """
        return self.waited_ns / self.turns / 1000 if self.turns else None

    @staticmethod
    def merged(parts: Iterable[SchedulingDelay]) -> SchedulingDelay:
        kept = tuple(parts)
        return SchedulingDelay(
            sum(part.waited_ns for part in kept), sum(part.turns for part in kept)
        )


UNKNOWN = SchedulingDelay()


class SchedstatReader:
    """What the kernel counts of a thread that waits for a processor."""

    def __init__(self, schedstat: Path = SCHEDSTAT) -> None:
        self._schedstat = schedstat
        self._waited_ns = 0
        self._given = 0
        self.take(0)

    def take(self, turns: int) -> SchedulingDelay:
        """The wait since the last take, in which replies were noticed in `turns` turns. `UNKNOWN` where the kernel does
        not tell."""
        try:
            _, waited_ns, given = map(int, self._schedstat.read_bytes().split())
        except (OSError, ValueError):
            return UNKNOWN
        wait = SchedulingDelay(waited_ns - self._waited_ns, max(turns, given - self._given))
        self._waited_ns, self._given = waited_ns, given
        return wait
