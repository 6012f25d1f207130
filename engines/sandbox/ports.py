"""Choose the loopback ports of the private servers."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator

from engines.model.lanes import LANE_OF, SLOT_OF
from engines.sandbox.errors import PortInUse

HOST = "127.0.0.1"


BUS_DISTANCE = 10_000
"""Distance from a cluster node's port to the port of its bus. It is Redis' default, which the nodes rely on."""

LOWEST_BASE, HIGHEST_BASE = 10_000, 22_760
"""The base ports to try. A higher base would put a bus port above 32768, where Linux chooses ephemeral ports."""

TRIES = 200
"""Base ports that are tried before the search fails."""


def names(lanes: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the private servers that `lanes` need, in the order of their ports."""
    wanted = frozenset(lanes)
    return tuple(name for name, lane in LANE_OF.items() if lane in wanted)


def choose(servers: Iterable[str], base: int | None) -> dict[str, int]:
    """Return a free port for each of `servers`, counted from `base`, or from a base that is found by trying.

    Raises PortInUse if a port counted from `base` is taken, not allowed, or above 65535.
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
        # At random, so that two sandboxes that start at the same moment hardly ever try the same.
        tried = random.randint(LOWEST_BASE, HIGHEST_BASE)
        if all(free(port) for _, port in _numbered(wanted, tried)):
            return _ports(wanted, tried)
    raise PortInUse(
        f"no six free ports in a row were found from {LOWEST_BASE} to {HIGHEST_BASE}; set sandbox.port"
    )


def free(port: int) -> bool:
    """Return whether a server could listen on the loopback `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port on which only closed connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _ports(wanted: frozenset[str], base: int) -> dict[str, int]:
    return {name: base + at for at, name in enumerate(LANE_OF) if name in wanted}


def _numbered(wanted: frozenset[str], base: int) -> Iterator[tuple[str, int]]:
    """Return (who needs it, port) for every port of `wanted`, the buses of cluster nodes included."""
    for name, port in _ports(wanted, base).items():
        yield name, port
        if SLOT_OF[name].role == "store":
            yield f"the cluster bus of {name}", port + BUS_DISTANCE
