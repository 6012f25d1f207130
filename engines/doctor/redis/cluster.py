"""Checks of a Redis Cluster: all slots are served, and every node is reachable."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil

from redis import Redis

from engines.doctor.check import CHECK_LIMIT_S, Check, CheckRunner, Checks, Status
from engines.doctor.redis.sign_in import sign_in
from engines.endpoints.address import map_address
from engines.endpoints.daemon_threads import in_parallel
from engines.endpoints.deadline import restart
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.node_addresses import ForbiddenNodeError, targets
from engines.endpoints.slot_map import SlotRange
from engines.wire.resp import SLOTS

COVERAGE, NODES = "cluster coverage", "cluster nodes"
"""Names of the checks."""

AT_ONCE = 16
"""Number of nodes that are tried in parallel."""

OUT_OF_REACH = frozenset(
    {
        "unresolved",
        "refused",
        "unreachable",
        "no_route",
        "no_connection",
        "silent",
        "hung_up",
        "broken_off",
        "not_redis",
    }
)
"""Problems of a node that cannot be reached from this machine."""

FORBIDDEN_STEP = (
    "find out why the cluster names this node (cluster-announce-ip), or name it in address_map"
)
"""Next step for a node that is where no node of this cluster can be."""


@dataclass(frozen=True, slots=True)
class Node:
    """Node of the cluster at `address`, as the cluster names it, with a client that is signed in."""

    address: str
    replica: bool
    client: Redis


@dataclass(frozen=True, slots=True)
class ClusterLayout:
    """Assignment of slots to nodes."""

    ranges: tuple[SlotRange, ...]

    @property
    def primaries(self) -> tuple[str, ...]:
        """Return the addresses of the primaries, in the order of their slots."""
        return tuple(dict.fromkeys(part.address for part in self.ranges))

    @property
    def replicas(self) -> tuple[str, ...]:
        """Return the addresses of the replicas, in the order of their slots."""
        every = (address for part in self.ranges for address in part.replicas)
        return tuple(dict.fromkeys(every))

    def owns(self, address: str, slot: int) -> bool:
        """Return whether the primary at `address` serves `slot`."""
        return any(
            part.first <= slot <= part.last for part in self.ranges if part.address == address
        )


def check_coverage(runner: CheckRunner, layout: ClusterLayout) -> Checks[bool]:
    """Check that every slot is served."""
    served = {slot for part in layout.ranges for slot in range(part.first, part.last + 1)}
    missing = sorted(set(range(SLOTS)) - served)
    if missing:
        yield runner.fail(
            COVERAGE,
            "slots_uncovered",
            f"no node serves {len(missing):,} of the {SLOTS:,} slots; the first is {missing[0]}",
            "give every slot to a node (redis-cli --cluster fix); on AWS wait until a change of shards is over",
        )
        return None
    yield runner.ok(
        COVERAGE,
        f"{len(layout.primaries)} primaries serve all {SLOTS:,} slots, {len(layout.replicas)} replicas",
    )
    return True


def check_nodes(
    runner: CheckRunner, endpoint: RedisEndpoint, layout: ClusterLayout, stack: ExitStack
) -> Generator[Check, None, Sequence[Node] | None]:
    """Sign in to every node in parallel, and check that each can be reached. Return the nodes."""
    wanted = [*layout.primaries, *(layout.replicas if endpoint.read_replicas else ())]
    restart(CHECK_LIMIT_S * ceil(len(wanted) / AT_ONCE))
    results = list(in_parallel(lambda address: _try_sign_in(endpoint, address), wanted, AT_ONCE))
    nodes, failed = [], []
    for address, (client, check) in zip(wanted, results, strict=True):
        if client is not None:
            stack.callback(client.close)
            nodes.append(Node(address, address not in layout.primaries, client))
        else:
            assert check is not None
            failed.append((address, check))
    if failed:
        yield _failed(runner, endpoint, failed, len(wanted))
        return None
    mapped = [map_address(address, endpoint.address_map) for address in wanted]
    shared = next((address for address in mapped if mapped.count(address) > 1), None)
    if shared is not None:
        yield runner.fail(
            NODES,
            "nodes_share_way",
            f"address_map leads to several nodes by the one address {shared}",
            "give each node a tunnel with a local port of its own",
        )
        return None
    through = ", through address_map" if endpoint.address_map else ""
    yield runner.ok(NODES, f"all {len(nodes)} answer{through}: {', '.join(wanted)}")
    return nodes


def _try_sign_in(endpoint: RedisEndpoint, address: str) -> tuple[Redis | None, Check | None]:
    """Return a client of the node, or the check that failed.

    A node that telemon must not sign in to is not connected to.
    """
    try:
        targets(address, endpoint)
    except ForbiddenNodeError as error:
        return None, CheckRunner().fail(NODES, "node_forbidden", str(error), FORBIDDEN_STEP)
    except OSError:
        pass  # The checks say which name is unknown.
    checks = sign_in(CheckRunner(), endpoint, address)
    failed: Check | None = None
    while True:
        try:
            check = next(checks)
        except StopIteration as ended:
            return ended.value, failed
        if check.status is Status.FAIL:
            failed = check


def _failed(
    runner: CheckRunner, endpoint: RedisEndpoint, failed: list[tuple[str, Check]], count: int
) -> Check:
    known = {real for real, _ in endpoint.address_map}
    unmapped = [
        address
        for address, check in failed
        if endpoint.address_map and address not in known and check.problem in OUT_OF_REACH
    ]
    if unmapped:
        return runner.fail(
            NODES,
            "node_unmapped",
            f"{', '.join(unmapped)}: not in address_map, and out of reach from here",
            "a cluster sends its clients to every node: open a tunnel to each, with a local port of its own, and name "
            "it in address_map as the cluster does",
        )
    listed = "; ".join(f"{address}: {check.name}: {check.finding}" for address, check in failed)
    first = failed[0][1]
    if first.problem in OUT_OF_REACH:
        return runner.fail(
            NODES,
            "node_unreachable",
            f"{len(failed)} of {count} nodes cannot be reached: {listed}",
            f"every node must be reached from here, not only the endpoint; {first.next_step}",
        )
    return runner.fail(NODES, first.problem, listed, first.next_step)
