"""Map from hash slots to nodes, as one engine process knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engines.wire.resp import SLOTS


@dataclass(frozen=True, slots=True)
class SlotRange:
    """Slots `first` to `last`, both included, and the addresses ("host:port") of their primary and replicas."""

    first: int
    last: int
    address: str
    replicas: tuple[str, ...] = ()


class SlotMap:
    """Nodes of each slot. A single server owns all slots, so that clusters and single servers share one code path.

    `write_node` is a list by slot: `write_node[slot]` is the address ("host:port") of the node for writes. `read_node`
    is the same for reads; both are one list unless a `replica` is requested. `refresh` requests the slot map from the
    cluster again; it must not block. It is called at most once per answer that shows the map to be stale.
    `after_refresh` requests it too, of the node at an address if possible, and calls a function once when the map is up
    to date, or cannot be. It is None for a single server, which has no business to redirect. `known` holds the
    addresses that the cluster named last, primaries and replicas: no redirect leads anywhere else.
    """

    __slots__ = ("_replica", "after_refresh", "known", "read_node", "refresh", "write_node")

    def __init__(
        self,
        ranges: Sequence[SlotRange],
        refresh: Callable[[], None],
        replica: int | None = None,
        after_refresh: Callable[[str, Callable[[], None]], None] | None = None,
    ) -> None:
        """Create the map from `ranges`; raise ValueError if they are empty.

        With `replica`, reads go to the replica of that number (modulo the number of replicas), or to the primary if it
        has none.
        """
        if not ranges:
            raise ValueError("the cluster serves no slot: no node owns any")
        self._replica = replica
        self.write_node: list[str] = [ranges[0].address] * SLOTS
        """Addresses by slot. An unserved slot keeps its last owner, which answers CLUSTERDOWN or MOVED."""
        self.read_node = self.write_node if replica is None else self.write_node.copy()
        self.refresh = refresh
        self.after_refresh = after_refresh
        self.known: frozenset[str] = frozenset()
        self.update(ranges)

    def update(self, ranges: Sequence[SlotRange]) -> None:
        """Apply the current slot ranges of the cluster, in place."""
        self.known = frozenset(at for part in ranges for at in (part.address, *part.replicas))
        for part in ranges:
            slots, count = slice(part.first, part.last + 1), part.last - part.first + 1
            self.write_node[slots] = [part.address] * count
            if self._replica is not None:
                reader = part.address
                if part.replicas:
                    reader = part.replicas[self._replica % len(part.replicas)]
                self.read_node[slots] = [reader] * count

    def move(self, slot: int, address: str) -> None:
        """Assign `slot` to `address`, for reads and writes, as a redirect says."""
        self.write_node[slot] = self.read_node[slot] = address

    def addresses(self) -> set[str]:
        """Return the addresses of all nodes that own a slot or are read from."""
        return {*self.write_node, *self.read_node}
