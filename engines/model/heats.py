"""Heats: isolated runs of one lane at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heat:
    """Isolated run of one lane. `round` counts from 1; `final` marks the lane's last heat."""

    round: int
    lane: str
    final: bool


def heat_order(lanes: Sequence[str], rounds: int) -> list[Heat]:
    """Return the order of heats: every lane once per round.

    The order rotates by one lane from round to round, so that no lane always runs first: the machine may
    slow down or warm up during the race.
    """
    return [
        Heat(number + 1, lanes[(number + position) % len(lanes)], number + 1 == rounds)
        for number in range(rounds)
        for position in range(len(lanes))
    ]
