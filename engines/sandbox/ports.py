"""Loopback ports of the private servers."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator

from engines.model.lanes import LANE_OF, SLOT_OF
from engines.sandbox.errors import PortInUse

HOST = "127.0.0.1"
"""Address that all private servers listen on."""


TLS_DISTANCE = 3
"""Distance from a cluster node's port to its port for TLS, which it needs for an encrypted bus. The three nodes have
the last ports of a full sandbox, so these ports follow them."""

BUS_DISTANCE = 10_000
"""Distance from a cluster node's port, with an encrypted bus from its port for TLS, to its bus port. Redis' own
default; clients and nodes assume it."""

LOWEST_BASE, HIGHEST_BASE = 10_000, 22_750
"""Range of base ports to try.

Every port, including the bus ports, then stays below 32768, where Linux's automatic port range begins.
"""

TRIES = 200
"""Number of random base ports to try before giving up."""


def names(lanes: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the servers that `lanes` need, in the order of their ports."""
    wanted = frozenset(lanes)
    return tuple(name for name, lane in LANE_OF.items() if lane in wanted)


def choose(servers: Iterable[str], base: int | None) -> dict[str, int]:
    """Return a free port for each of `servers`, counted from `base`, or from a free base found by trying.

    Raises PortInUse if a port counted from `base` is in use, not allowed, or beyond the last port.
    """
    wanted = frozenset(servers)
    if base is not None:
        for name, port in _numbered(wanted, base):
            if not free(port):
                raise PortInUse(
                    f"sandbox.port = {base}: port {port}, needed by {name}, is in use or not allowed; "
                    "set another base, or leave the key out and telemon finds one"
                )
        return _ports(wanted, base)
    for _ in range(TRIES):
        # Try at random: two sandboxes that start at the same moment then rarely try the same base.
        tried = random.randint(LOWEST_BASE, HIGHEST_BASE)
        if all(free(port) for _, port in _numbered(wanted, tried)):
            return _ports(wanted, tried)
    raise PortInUse(
        f"no nine free ports in a row were found from {LOWEST_BASE} to {HIGHEST_BASE}; set sandbox.port"
    )


def free(port: int) -> bool:
    """Return whether a server could listen on the loopback `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set SO_REUSEADDR too: a port that only has connections in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def cluster_ports(port: int) -> dict[int, str]:
    """Return the ports that a cluster node takes beside its client port `port`, each with what it is for.

    They are the port for TLS, and the bus port with and without an encrypted bus.
    """
    return {
        port + BUS_DISTANCE: "cluster bus",
        port + TLS_DISTANCE: "port for TLS",
        port + TLS_DISTANCE + BUS_DISTANCE: "encrypted cluster bus",
    }


def _ports(wanted: frozenset[str], base: int) -> dict[str, int]:
    return {name: base + at for at, name in enumerate(LANE_OF) if name in wanted}


def _numbered(wanted: frozenset[str], base: int) -> Iterator[tuple[str, int]]:
    """Yield each port that `wanted` need, those of the cluster nodes for TLS and bus included, with its use as text."""
    for name, port in _ports(wanted, base).items():
        yield name, port
        if SLOT_OF[name].role == "store":
            for other, use in cluster_ports(port).items():
                yield f"the {use} of {name}", other
