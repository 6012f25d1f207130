"""Which node owns which hash slot, as one engine process knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SLOTS = 16_384


@dataclass(frozen=True, slots=True)
class SlotRange:
    """Slots `first` to `last`, both included, and the address ("host:port") of their primary."""

    first: int
    last: int
    address: str


class Topology:
    """The owner of each slot. A server on its own owns them all, so that one code reads both.

    `refresh` is called, at most once per answer that shows the picture to be stale, to ask the cluster again; it must
    not block.
    """

    __slots__ = ("owner", "refresh")

    def __init__(self, ranges: Sequence[SlotRange], refresh: Callable[[], None]) -> None:
        """Raises ValueError when `ranges` covers no slot at all."""
        if not ranges:
            raise ValueError("the cluster serves no slot: no node owns any")
        self.owner: list[str] = [ranges[0].address] * SLOTS
        """Addresses by slot. A slot that nobody serves keeps its last owner, which answers CLUSTERDOWN or MOVED."""
        self.refresh = refresh
        self.update(ranges)

    def update(self, ranges: Sequence[SlotRange]) -> None:
        """Take over what the cluster says now, in place."""
        for part in ranges:
            self.owner[part.first : part.last + 1] = [part.address] * (part.last - part.first + 1)

    def addresses(self) -> set[str]:
        """The nodes that own a slot."""
        return set(self.owner)
