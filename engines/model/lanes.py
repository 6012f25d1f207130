"""The three lanes: what each is, and what is known of it before its first frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LANES = ("mysql", "cached", "durable")
"""The ids of the three lanes, in the order in which they stand side by side."""


@dataclass(frozen=True, slots=True)
class LaneInfo:
    """What a lane is, known before its first frame: its approach in words, the honest name of its servers, their
    product, version and durability as read from them, and what must be said beside its numbers."""

    lane: str
    title: str
    approach: str
    product: str
    version: str
    durability: str
    notes: tuple[str, ...] = ()
    overhead_us: Mapping[str, float] = field(default_factory=dict)
    """By role ("write", "read"), the median service time in us of an operation against a server that answers at
    once: telemon's own share of what the lane shows."""


TITLES = {"mysql": "MySQL", "cached": "MySQL + cache", "durable": "Durable Redis"}


APPROACHES = {
    "mysql": "write to MySQL, read from MySQL",
    "cached": "write to MySQL, read through a lazy Redis cache",
    "durable": "a durable Redis Cluster is the system of record",
}


LANE_OF = {
    "mysql": "mysql",
    "cached-mysql": "cached",
    "cache": "cached",
    "durable-1": "durable",
    "durable-2": "durable",
    "durable-3": "durable",
}
"""Every server of a full sandbox with its lane; its place here is its port's distance from the base."""
