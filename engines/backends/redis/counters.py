"""Counters of a Redis or Valkey server or of all nodes of a cluster, also when its slots move."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from engines.backends.counter_reading import CounterReading
from engines.backends.redis.client import (
    FAILURES,
    NO_SLOTS,
    address_of,
    client,
    server_identity,
    slot_map,
    slot_ranges,
)
from engines.backends.redis.optional import number
from engines.endpoints.daemon_threads import in_parallel
from engines.endpoints.endpoint import RedisEndpoint
from engines.model.lanes import RACE_COMMANDS

SECTIONS = ("server", "replication", "stats", "commandstats")
"""Sections of INFO to read."""

STATS = ("keyspace_hits", "keyspace_misses", "expired_keys", "evicted_keys")
"""Counters to read from section `stats`."""

COMMANDS = tuple(name.lower() for name in RACE_COMMANDS)
"""Commands whose calls are counted: those that lanes send, as `INFO commandstats` names them."""

EVERY = (*STATS, *(f"{name}_calls" for name in COMMANDS))
"""Names of all counters."""

MALFORMED = (AttributeError, LookupError, TypeError, ValueError)
"""Exceptions of redis-py for a reply to INFO that is no text."""

AT_ONCE = 8
"""Number of nodes that are read in parallel."""

SLOTS_MOVED = "slots moved from node to node, and a key that is moved counts as a hit or as a SET"
"""Caveat when slots moved between nodes: a moved key counts as a hit where it was (MIGRATE), or as a SET where it comes
(CLUSTER MIGRATESLOTS of Valkey 9)."""

IMPORTED_BYTES = "total_net_cluster_slot_import_bytes"
"""Field of section `stats` of Valkey 9: what came with slots that move as a whole, also before and without a change of
their owner. What comes so is counted as if clients had sent it (tried with Valkey 9.1)."""

SLOTS_IMPORTED = (
    "slots were copied from node to node, and each key of theirs counts as a SET where it came"
)
"""Caveat when a node was sent slots by another."""

REPLICATED = frozenset(f"{name}_calls" for name in COMMANDS) - {"get_calls"}
"""Counters of a replica that include its primary's commands. GETs are not replicated, nor are their hits and misses."""


class RedisCounters:
    """Reader of the counters, over its own connections, one per node.

    Replicas are read too: a replica may be a primary at the next reading, and then its change since this one counts.
    """

    def __init__(self, endpoint: RedisEndpoint) -> None:
        self._endpoint = endpoint
        self._clients: dict[str, Redis] = {}
        self._begun = False
        self._out_of_reach: set[str] = set()
        """Replicas that did not answer the first reading. A tunnel may lead to the primaries only."""
        self._slots: dict[str, set[tuple[int, int]]] = {}
        """Slots of each primary, as last reported."""
        self._address_of: dict[str, str] = {}
        """Server -> the address under which it is counted, the first by which it was seen."""
        self._imported: dict[str, int] = {}
        """Server -> the bytes of slots that it was sent before the first reading."""
        self.aliased = False
        """Whether some server answers by several addresses, so that counts by address are not those of servers."""
        self.missing: tuple[str, ...] = ()
        """Counters that the node that was read last does not show."""
        self.caveat = ""
        """Reason why the counts may include more than the work of clients; empty if there is none."""

    def read(self) -> dict[str, CounterReading]:
        """Return the counters of every node that answers, by address. Blocks.

        A server that answers by several addresses is counted once, under the first of them: a proxy before one server
        has an address for writes and another for reads, and each shows the same counters.

        Raises one of FAILURES if no node reports the cluster, and at the first reading if a primary does not answer.
        """
        primaries, replicas = self._nodes()
        wanted = [*primaries, *(at for at in replicas if at not in self._out_of_reach)]
        if not wanted:
            raise RedisError(NO_SLOTS)
        # Read in parallel: unreachable nodes time out after seconds, together no later than one
        # alone.
        results = dict(zip(wanted, in_parallel(self._try_read, wanted, AT_ONCE), strict=True))
        found: dict[str, CounterReading] = {}
        for address, result in results.items():
            if isinstance(result, CounterReading):
                # Two readings of one server are of one moment, and primaries come first.
                found.setdefault(self._counted_at(address, result, results), result)
            elif not self._begun and address in primaries:
                raise result
            elif not self._begun:
                self._out_of_reach.add(address)
        self._begun = True
        return found

    def _counted_at(
        self,
        address: str,
        reading: CounterReading,
        results: Mapping[str, CounterReading | Exception],
    ) -> str:
        """Return the address under which the server at `address` is counted."""
        known = self._address_of.setdefault(reading.server, address)
        there = results.get(known)
        if isinstance(there, CounterReading) and there.server != reading.server:
            # It moved, and another server has its former address.
            known = self._address_of[reading.server] = address
        self.aliased |= known != address
        return known

    def _try_read(self, address: str) -> CounterReading | Exception:
        try:
            return self._read_node(address)
        except FAILURES as error:
            return error

    def _nodes(self) -> tuple[list[str], list[str]]:
        """Return the primaries that own slots, and their replicas."""
        endpoint = self._endpoint
        if endpoint.cluster is False:
            return [address_of(endpoint)], []
        ranges = None
        for address, node in tuple(self._clients.items()):
            try:
                ranges = slot_ranges(node, address, endpoint)
            except FAILURES:
                self._close_client(address)
                continue
            break
        if ranges is None:
            ranges = slot_map(endpoint)
        slots: dict[str, set[tuple[int, int]]] = {}
        for part in ranges:
            slots.setdefault(part.address, set()).add((part.first, part.last))
        if any(slots[address] != self._slots[address] for address in slots.keys() & self._slots):
            self.caveat = SLOTS_MOVED
        self._slots = slots
        replicas = {address for part in ranges for address in part.replicas}
        return sorted(slots), sorted(replicas - slots.keys())

    def _read_node(self, address: str) -> CounterReading:
        node = self._clients.get(address)
        if node is None:
            node = self._clients[address] = client(address, self._endpoint)
        try:
            server, replication, stats, command_stats = self._sections(node)
        except FAILURES:
            self._close_client(address)
            raise
        shown = {name: number(stats, name) for name in STATS}
        for command in COMMANDS if command_stats else ():
            # A command that was never called has no entry.
            calls = command_stats.get(f"cmdstat_{command}", {"calls": 0})
            shown[f"{command}_calls"] = number(calls, "calls")
        counters = {name: value for name, value in shown.items() if value is not None}
        self.missing = tuple(name for name in EVERY if name not in counters)
        if not counters:
            raise ResponseError("INFO shows none of what telemon counts")
        identity = server_identity(server, address)
        imported = number(stats, IMPORTED_BYTES) or 0
        if imported > self._imported.setdefault(identity, imported):
            self.caveat = SLOTS_IMPORTED
        replica = replication.get("role") == "slave"
        replicated: frozenset[str] = frozenset()
        if replica:
            # No racing connection reads from a replica unless that is configured.
            replicated = REPLICATED if self._endpoint.read_replicas else frozenset(counters)
        if replica and not self._endpoint.cluster:
            # The endpoint's name may resolve to another server by now, for example after a
            # failover.
            self._close_client(address)
        return CounterReading(
            server=identity,
            up_s=number(server, "uptime_in_seconds") or 0,
            counts={name: value for name, value in counters.items() if name not in replicated},
            others={name: value for name, value in counters.items() if name in replicated},
        )

    def _sections(self, node: Redis) -> list[dict[str, Any]]:
        """Read all sections in one pipeline, so that they belong to one moment."""
        try:
            with node.pipeline(transaction=False) as pipeline:
                for section in SECTIONS:
                    pipeline.info(section)
                found = pipeline.execute(raise_on_error=False)
        except MALFORMED as error:
            raise ResponseError(f"INFO is answered in an unknown form: {error}") from error
        refused = [section for section in found if isinstance(section, Exception)]
        if len(refused) == len(found):
            raise refused[0]
        return [section if isinstance(section, dict) else {} for section in found]

    def _close_client(self, address: str) -> None:
        node = self._clients.pop(address, None)
        if node is not None:
            with suppress(RedisError, OSError):
                node.close()

    def close(self) -> None:
        """Close the connections to all nodes."""
        for address in tuple(self._clients):
            self._close_client(address)
