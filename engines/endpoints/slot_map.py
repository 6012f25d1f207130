"""Which node owns which hash slot, as one engine process knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engines.wire.resp import SLOTS


@dataclass(frozen=True, slots=True)
class SlotRange:
    """Slots `first` to `last`, both included, and the addresses ("host:port") of their primary and its replicas."""

    first: int
    last: int
    address: str
    replicas: tuple[str, ...] = ()


class SlotMap:
    """The owner of each slot. A server on its own owns them all, so that one code reads both.

    `owner` is who takes writes, `reader` who answers reads: the same list, unless a `replica` is asked for. `refresh`
    is called, at most once per answer that shows the picture to be stale, to ask the cluster again; it must not block.
    """

    __slots__ = ("_replica", "read_node", "refresh", "write_node")

    def __init__(
        self,
        ranges: Sequence[SlotRange],
        refresh: Callable[[], None],
        replica: int | None = None,
    ) -> None:
        """With `replica` reads go to that replica of each primary (modulo how many it has), to the primary where
        there is none. Raises ValueError when `ranges` covers no slot at all."""
        if not ranges:
            raise ValueError("the cluster serves no slot: no node owns any")
        self._replica = replica
        self.write_node: list[str] = [ranges[0].address] * SLOTS
        """Addresses by slot. A slot that nobody serves keeps its last owner, which answers CLUSTERDOWN or MOVED."""
        self.read_node = self.write_node if replica is None else self.write_node.copy()
        self.refresh = refresh
        self.update(ranges)

    def update(self, ranges: Sequence[SlotRange]) -> None:
        """Take over what the cluster says now, in place."""
        for part in ranges:
            slots, count = slice(part.first, part.last + 1), part.last - part.first + 1
            self.write_node[slots] = [part.address] * count
            if self._replica is not None:
                reader = part.address
                if part.replicas:
                    reader = part.replicas[self._replica % len(part.replicas)]
                self.read_node[slots] = [reader] * count

    def move(self, slot: int, address: str) -> None:
        """Take over that `slot` is served by `address` now, as a redirect says."""
        self.write_node[slot] = self.read_node[slot] = address

    def addresses(self) -> set[str]:
        """The nodes that own a slot, or are read from."""
        return {*self.write_node, *self.read_node}
