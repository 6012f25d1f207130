"""What a server has counted, and which run of which server counted it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CounterReading:
    """A server's counters at one moment, and for how long it has been up.

    `server` is one word for the server, the same at every reading of it and for no other. `counts` are the counters
    that stand for what clients did; `others` those that now count something else (a replica's SETs are its
    primary's), kept for the time when they do.
    """

    server: str
    up_s: float
    counts: Mapping[str, int]
    others: Mapping[str, int] = field(default_factory=dict)

    @property
    def all_counters(self) -> Mapping[str, int]:
        """All counters, whatever they stand for."""
        return {**self.counts, **self.others}


def counter_delta(
    before: CounterReading, now: CounterReading, between_s: float
) -> Mapping[str, int] | None:
    """By how much the counters at one address have moved between two readings `between_s` apart. Pure.

    A server that has started since, or whose counters were reset, counts from zero. None when another server answers
    that was up before: how far it had counted by then, nobody knows.
    """
    if now.server == before.server and now.up_s >= before.up_s:
        previous = before.all_counters
        deltas = {name: value - previous.get(name, 0) for name, value in now.counts.items()}
        return {name: now.counts[name] if delta < 0 else delta for name, delta in deltas.items()}
    # How long they are up, servers tell in whole seconds.
    return now.counts if now.up_s <= between_s + 1 else None
