"""Heats: each lane has the machine to itself in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heat:
    """One lane's turn. `round` counts from 1; `final` marks the lane's last."""

    round: int
    lane: str
    final: bool


def heat_order(lanes: Sequence[str], rounds: int) -> list[Heat]:
    """Every lane once per round, in an order that moves on by one lane from round to round, so that a machine that
    slows down, or warms up, favours none."""
    return [
        Heat(number + 1, lanes[(number + position) % len(lanes)], number + 1 == rounds)
        for number in range(rounds)
        for position in range(len(lanes))
    ]
