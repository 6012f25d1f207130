"""Counts of what a lane got from one node of its cluster, as telemon saw it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engines.metrics.merge import COUNTER, merge


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """Commands that a node answered, warm-up included, without those that it refused or redirected.

    `misses` counts GETs of keys that were not there.
    """

    sets: int = field(default=0, metadata=COUNTER)
    gets: int = field(default=0, metadata=COUNTER)
    misses: int = field(default=0, metadata=COUNTER)

    @property
    def hits(self) -> int:
        """Return the number of GETs that found their key."""
        return self.gets - self.misses


@dataclass(frozen=True, slots=True)
class NodeComparison:
    """Counts of one node as telemon has them and as the node itself has them, by the names of `INFO`."""

    address: str
    telemon: NodeCounts
    server: Mapping[str, int]


CountsByNode = Mapping[str, NodeCounts]
"""Counts by the node's address."""


def merged(parts: Iterable[CountsByNode]) -> dict[str, NodeCounts]:
    """Return the counts of several engine processes as one, node by node."""
    by_node: dict[str, list[NodeCounts]] = {}
    for part in parts:
        for address, counts in part.items():
            by_node.setdefault(address, []).append(counts)
    return {address: merge(NodeCounts, counts) for address, counts in by_node.items()}
