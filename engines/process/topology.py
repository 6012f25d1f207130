"""Read the slot map of a lane's Redis, and refresh it in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns

from engines.driver.reactor import Reactor
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.ipc.messages import EngineSpec
from engines.model.lanes import LANES
from engines.wire.dialect import REDIS

REFRESH_EVERY_NS = 100_000_000
"""The least time between two requests for the slot map. Without it every redirect would cause one."""

QUEUE = "topology"
"""Name of the queue of blocking jobs for these requests, so that they do not wait behind connects."""


class ClusterTopology:
    """The slot maps of one engine process.

    Readers of replicas have several, each with other replicas to read from. Connections take turns with them.
    """

    def __init__(self, spec: EngineSpec, reactor: Reactor) -> None:
        self._spec = spec
        self._reactor = reactor
        self._endpoint = spec.endpoints.redis
        if not LANES[spec.lane].redis_commands(spec.role):
            self._endpoint = None  # The lane has a cache, and this role never talks to it.
        self._refreshed_ns = 0
        self._refreshing = False
        self.known: list[SlotMap] = []
        """Empty until `discover` has finished, and for a role that never talks to Redis."""

    def discover(self, found: Callable[[], None], failed: Callable[[str, str], None]) -> None:
        """Request the slot map, then call `found`, or `failed` with address and reason.

        For a role that never talks to Redis it calls `found` at once.
        """
        endpoint = self._endpoint
        if endpoint is None:
            found()
            return

        def answered(ranges: list[SlotRange]) -> None:
            self.known += [
                SlotMap(ranges, self.refresh, replica) for replica in self._replicas(ranges)
            ]
            found()

        self._reactor.connections.connector.submit(
            QUEUE,
            lambda: _ask(endpoint, ()),
            answered,
            lambda error: failed(f"{endpoint.host}:{endpoint.port}", str(error)),
        )

    def _replicas(self, ranges: list[SlotRange]) -> list[int | None]:
        """Return the numbers of the replicas that are read from, the same for each primary; None for the primaries."""
        endpoint = self._endpoint
        if endpoint is None or not endpoint.read_replicas or self._spec.role == "write":
            return [None]
        return list(range(max(1, *(len(part.replicas) for part in ranges), 1)))

    def refresh(self) -> None:
        """Request the slot map again, in the background, at most once per `REFRESH_EVERY_NS`."""
        endpoint = self._endpoint
        if endpoint is None or not self.known or endpoint.cluster is False or self._refreshing:
            return
        self._refreshing = True

        def answered(ranges: list[SlotRange]) -> None:
            self._refreshing = False
            for slot_map in self.known:
                slot_map.update(ranges)
            self._drop_unneeded()

        def failed(_: Exception) -> None:
            self._refreshing = False

        def ask() -> None:
            self._refreshed_ns = perf_counter_ns()
            nodes = self._nodes_to_ask()
            self._reactor.connections.connector.submit(
                QUEUE, lambda: _ask(endpoint, nodes), answered, failed
            )

        due_ns = self._refreshed_ns + REFRESH_EVERY_NS
        if perf_counter_ns() >= due_ns:
            ask()
        else:
            self._reactor.timers.at(due_ns, ask)

    def _drop_unneeded(self) -> None:
        """Close the connections to nodes that own no slots any more."""
        needed = self._addresses()
        for session in tuple(self._reactor.sessions):
            for connection in tuple(session.connections.values()):
                if connection.dialect is REDIS and connection.address not in needed:
                    self._reactor.connections.remove(connection)

    def _nodes_to_ask(self) -> list[str]:
        """Return the addresses of the nodes, first those with an open connection: a dead node may block for seconds."""
        connections = [
            connection
            for session in self._reactor.sessions
            for connection in session.connections.values()
        ]
        open_by_descriptor = {
            connection.address for connection in connections if connection.socket is not None
        }
        return sorted(
            self._addresses(), key=lambda address: (address not in open_by_descriptor, address)
        )

    def _addresses(self) -> set[str]:
        return {address for slot_map in self.known for address in slot_map.addresses()}


def _ask(endpoint: RedisEndpoint, nodes: Sequence[str]) -> list[SlotRange]:
    # Imported on first use, as in `engines.process.connect`.
    from engines.backends.redis.client import slot_map

    return slot_map(endpoint, nodes)
