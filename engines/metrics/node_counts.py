"""What a lane had of one node of its cluster, by telemon's count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """The commands that a node answered, warm-up included, without those that it refused or sent elsewhere."""

    sets: int = 0
    gets: int = 0
    misses: int = 0
    """GETs of keys that were not there."""

    @property
    def hits(self) -> int:
        return self.gets - self.misses

    def __add__(self, other: Self) -> NodeCounts:
        return NodeCounts(
            self.sets + other.sets, self.gets + other.gets, self.misses + other.misses
        )


@dataclass(frozen=True, slots=True)
class NodeComparison:
    """A node's counts as telemon has them and as the node itself has them, by the names of `INFO`."""

    address: str
    telemon: NodeCounts
    server: Mapping[str, int]


CountsByNode = Mapping[str, NodeCounts]
"""By the node's address."""


def merged(parts: Iterable[CountsByNode]) -> dict[str, NodeCounts]:
    """What several engines had of each node."""
    found: dict[str, NodeCounts] = {}
    for part in parts:
        for address, shard in part.items():
            found[address] = found.get(address, NodeCounts()) + shard
    return found
