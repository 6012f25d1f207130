"""Rank lanes and compute by which factor they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rank:
    """The position of a lane and its factor to the reference lane; both None where there is nothing to compare with.

    `position` is 1 for the leader; lanes with equal values share a position. `factor` is at least 1.0: for the leader,
    how many times better it is than the next lane; for the others, how many times worse they are than the leader.
    """

    position: int | None = None
    factor: float | None = None


def rank_lanes(values: Mapping[str, float | None], *, higher_wins: bool) -> dict[str, Rank]:
    """Return the rank of each lane by its value; the highest value leads if `higher_wins`, else the lowest.

    None and 0 count as no value. Every lane of `values` is in the result. A lane without a value has an empty `Rank()`,
    and so has a lane that is the only one with a value.
    """
    running = {lane: value for lane, value in values.items() if value}
    order = sorted(running.items(), key=lambda item: item[1], reverse=higher_wins)
    found = {lane: Rank() for lane in values}
    for lane, value in order:
        position = 1 + sum(
            (other > value) if higher_wins else (other < value) for other in running.values()
        )
        rest = [other for name, other in order if name != lane]
        if not rest:
            # A single lane has no rank.
            continue
        # The reference of the leader is the best of the others; that of all others is the leader.
        reference = rest[0]
        found[lane] = Rank(position, max(value / reference, reference / value))
    return found
