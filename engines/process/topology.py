"""Slot maps of a lane's Redis, fetched by one engine process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns

from engines.backends.failure_text import error_text
from engines.driver.reactor import Reactor
from engines.endpoints.deadline import phase
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.ipc.messages import EngineSpec
from engines.model.lanes import LANES
from engines.wire.dialect import REDIS

REFRESH_EVERY_NS = 100_000_000
"""Minimum time between two requests for the slot map, from all engine processes that connect to the cluster. Each
request opens a connection."""

REFRESH_WAIT_NS = 1_000_000_000
"""How long an operation waits for the slot map after a redirect to an unknown node. A node that is gone delays it."""

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
        self._refresh_every_ns = REFRESH_EVERY_NS * spec.sharing.redis
        self._refreshed_ns = 0
        self._refreshing = False
        self._best_informed = ""
        """Address of the node to ask first, which sent the last redirect to an unknown node."""
        self._waiting: list[Callable[[], None]] = []
        """Called at the end of the next request for the slot map. One that is under way may be older than the redirect
        that they wait for."""
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
            after_refresh = None if endpoint.cluster is False else self.after_refresh
            self.slot_maps += [
                SlotMap(ranges, self.refresh, replica, after_refresh)
                for replica in self._replicas(ranges)
            ]
            found()

        self._reactor.connections.job_runner.submit(
            JOB_QUEUE,
            lambda: _ask(endpoint, ()),
            answered,
            lambda error: failed(
                f"{endpoint.host}:{endpoint.port}", error_text(error, endpoint.namespace)
            ),
        )

    def _replicas(self, ranges: list[SlotRange]) -> list[int | None]:
        """Return the numbers of the replicas to read from, equal for each primary; None stands for the primary."""
        endpoint = self._endpoint
        if endpoint is None or not endpoint.read_replicas or self._spec.role == "write":
            return [None]
        return list(range(max(1, *(len(part.replicas) for part in ranges), 1)))

    def after_refresh(self, address: str, proceed: Callable[[], None]) -> None:
        """Fetch the slot map again, from the node at `address` if it answers, and call `proceed`; does not block.

        `proceed` is also called if no node answers, at the latest after `REFRESH_WAIT_NS`. Operations that ask at the
        same time share one request.
        """
        called = False

        def once() -> None:
            nonlocal called
            if not called:
                called = True
                proceed()

        self._best_informed = address
        self._waiting.append(once)
        self._reactor.after_ns(REFRESH_WAIT_NS, once)
        self.refresh()

    def refresh(self) -> None:
        """Fetch the slot map again in the background, at most once per `REFRESH_EVERY_NS`; does not block.

        That is the least time for all engine processes together.
        """
        endpoint = self._endpoint
        if endpoint is None or not self.slot_maps or endpoint.cluster is False or self._refreshing:
            return
        self._refreshing = True

        waiting: list[Callable[[], None]] = []

        def end() -> None:
            self._refreshing = False
            for proceed in waiting:
                proceed()
            if self._waiting:
                self.refresh()

        def answered(ranges: list[SlotRange]) -> None:
            for slot_map in self.slot_maps:
                slot_map.update(ranges)
            self._drop_unneeded()
            end()

        def failed(_: Exception) -> None:
            end()

        def ask() -> None:
            waiting[:], self._waiting = self._waiting, []
            self._refreshed_ns = perf_counter_ns()
            nodes = self._nodes_to_ask()
            self._reactor.connections.job_runner.submit(
                JOB_QUEUE, lambda: _ask(endpoint, nodes), answered, failed
            )

        # Ask at the earliest when all replies at hand are processed: what they redirect shares the request.
        self._reactor.timers.at(self._refreshed_ns + self._refresh_every_ns, ask)

    def _drop_unneeded(self) -> None:
        """Close the connections to nodes that no longer own a slot."""
        needed = self._addresses()
        for session in tuple(self._reactor.sessions):
            for connection in tuple(session.connections.values()):
                if connection.dialect is REDIS and connection.address not in needed:
                    self._reactor.connections.remove(connection)

    def _nodes_to_ask(self) -> list[str]:
        """Return the nodes of the cluster: the best informed one first, then those with open connections.

        A node that is gone may take seconds until the request fails.
        """
        best, self._best_informed = self._best_informed, ""
        connections = [
            connection
            for session in self._reactor.sessions
            for connection in session.connections.values()
        ]
        open_addresses = {
            connection.address for connection in connections if connection.socket is not None
        }
        return sorted(
            self._addresses(),
            key=lambda address: (address != best, address not in open_addresses, address),
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
