"""Counters of one server at one moment, and the identity of that server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CounterReading:
    """Counters and uptime of a server at one moment.

    `server` is a text that identifies the server: the same at each of its readings, and different for every other
    server. `counts` are the counters that stand for the work of clients. `others` are the counters that currently
    measure something else (the SETs of a replica are its primary's); they are kept for the time when they count again.
    `persistent` names the counters that do not begin at zero after a restart.
    """

    server: str
    up_s: float
    counts: Mapping[str, int]
    others: Mapping[str, int] = field(default_factory=dict)
    persistent: frozenset[str] = frozenset()

    @property
    def all_counters(self) -> Mapping[str, int]:
        """Return `counts` and `others` together."""
        return {**self.counts, **self.others}


def counter_delta(
    before: CounterReading, now: CounterReading, between_s: float
) -> Mapping[str, int] | None:
    """Return how far the counters of one address moved between two readings taken `between_s` seconds apart. Pure.

    After a restart in between the present counts are returned, because they began at zero, without those that do not.
    The same holds for each single counter that fell, because it was reset. None if another server answers that was
    already up at the first reading: its counts at that time are unknown.
    """
    if now.server == before.server and now.up_s >= before.up_s:
        previous = before.all_counters
        deltas = {name: value - previous.get(name, 0) for name, value in now.counts.items()}
        return {name: now.counts[name] if delta < 0 else delta for name, delta in deltas.items()}
    # Servers report uptime in whole seconds.
    if now.up_s > between_s + 1:
        return None
    return {name: value for name, value in now.counts.items() if name not in now.persistent}
