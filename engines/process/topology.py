"""Slot maps of a lane's Redis, fetched by one engine process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns

from engines.driver.reactor import Reactor
from engines.endpoints.deadline import phase
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.ipc.messages import EngineSpec
from engines.model.lanes import LANES
from engines.wire.dialect import REDIS

REFRESH_EVERY_NS = 100_000_000
"""Minimum time between two requests for the slot map."""

JOB_QUEUE = "topology"
"""Queue of the job runner for these requests, so that they do not wait for connections."""


class ClusterTopology:
    """Slot maps of one engine process.

    There are several if reads go to replicas, each with a different replica; they are assigned to the connections in
    turn.
    """

    def __init__(self, spec: EngineSpec, reactor: Reactor) -> None:
        self._spec = spec
        self._reactor = reactor
        self._endpoint = spec.endpoints.redis
        if not LANES[spec.lane].redis_commands(spec.role):
            self._endpoint = None  # The lane has a cache, and this role never talks to it.
        self._refreshed_ns = 0
        self._refreshing = False
        self.slot_maps: list[SlotMap] = []
        """Empty until `discover` has received its answer, and in a lane without Redis."""

    def discover(self, found: Callable[[], None], failed: Callable[[str, str], None]) -> None:
        """Fetch the slot map if the lane has one, and call `found`; does not block.

        On failure, `failed` is called with the address that was asked and the reason.
        """
        endpoint = self._endpoint
        if endpoint is None:
            found()
            return

        def answered(ranges: list[SlotRange]) -> None:
            self.slot_maps += [
                SlotMap(ranges, self.refresh, replica) for replica in self._replicas(ranges)
            ]
            found()

        self._reactor.connections.job_runner.submit(
            JOB_QUEUE,
            lambda: _ask(endpoint, ()),
            answered,
            lambda error: failed(f"{endpoint.host}:{endpoint.port}", str(error)),
        )

    def _replicas(self, ranges: list[SlotRange]) -> list[int | None]:
        """Return the numbers of the replicas to read from, equal for each primary; None stands for the primary."""
        endpoint = self._endpoint
        if endpoint is None or not endpoint.read_replicas or self._spec.role == "write":
            return [None]
        return list(range(max(1, *(len(part.replicas) for part in ranges), 1)))

    def refresh(self) -> None:
        """Fetch the slot map again in the background, at most once per `REFRESH_EVERY_NS`; does not block."""
        endpoint = self._endpoint
        if endpoint is None or not self.slot_maps or endpoint.cluster is False or self._refreshing:
            return
        self._refreshing = True

        def answered(ranges: list[SlotRange]) -> None:
            self._refreshing = False
            for slot_map in self.slot_maps:
                slot_map.update(ranges)
            self._drop_unneeded()

        def failed(_: Exception) -> None:
            self._refreshing = False

        def ask() -> None:
            self._refreshed_ns = perf_counter_ns()
            nodes = self._nodes_to_ask()
            self._reactor.connections.job_runner.submit(
                JOB_QUEUE, lambda: _ask(endpoint, nodes), answered, failed
            )

        due_ns = self._refreshed_ns + REFRESH_EVERY_NS
        if perf_counter_ns() >= due_ns:
            ask()
        else:
            self._reactor.timers.at(due_ns, ask)

    def _drop_unneeded(self) -> None:
        """Close the connections to nodes that no longer own a slot."""
        needed = self._addresses()
        for session in tuple(self._reactor.sessions):
            for connection in tuple(session.connections.values()):
                if connection.dialect is REDIS and connection.address not in needed:
                    self._reactor.connections.remove(connection)

    def _nodes_to_ask(self) -> list[str]:
        """Return the nodes of the cluster, those with open connections first.

        A node that is gone may take seconds until the request fails.
        """
        connections = [
            connection
            for session in self._reactor.sessions
            for connection in session.connections.values()
        ]
        open_addresses = {
            connection.address for connection in connections if connection.socket is not None
        }
        return sorted(
            self._addresses(), key=lambda address: (address not in open_addresses, address)
        )

    def _addresses(self) -> set[str]:
        """Return the addresses of all nodes in the slot maps."""
        return {address for slot_map in self.slot_maps for address in slot_map.addresses()}


def _ask(endpoint: RedisEndpoint, nodes: Sequence[str]) -> list[SlotRange]:
    """Fetch the slot ranges from the endpoint or one of `nodes`; blocks."""
    # Imported on first use, as in `engines.process.connect`.
    from engines.backends.redis.client import slot_map

    with phase("asking for the slots of the cluster"):
        return slot_map(endpoint, nodes)
