"""Who leads, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rank:
    """A lane's rank (1 leads; equal values share a rank) and its gap: for the leader how many times better it is than
    the next, for the others how many times worse than the leader. Both None where there is nothing to compare with."""

    position: int | None = None
    factor: float | None = None


def rank_lanes(values: Mapping[str, float | None], *, higher_wins: bool) -> dict[str, Rank]:
    """The place of each lane by its value. None and 0 are no value: such a lane has no rank, nor has one
    that nobody else has a value beside."""
    running = {lane: value for lane, value in values.items() if value}
    order = sorted(running.items(), key=lambda item: item[1], reverse=higher_wins)
    found = {lane: Rank() for lane in values}
    for lane, value in order:
        position = 1 + sum(
            (other > value) if higher_wins else (other < value) for other in running.values()
        )
        rest = [other for name, other in order if name != lane]
        if not rest:
            # First of one is no place.
            continue
        # The leader is measured against the best of the others, everyone else against the leader.
        reference = rest[0]
        found[lane] = Rank(position, max(value / reference, reference / value))
    return found
