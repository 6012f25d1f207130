"""Check of TCP connections."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from engines.doctor.check import CheckRunner, Checks
from engines.doctor.network.resolve import resolve
from engines.endpoints.address import map_address, split
from engines.endpoints.daemon_threads import in_parallel
from engines.endpoints.deadline import watch
from engines.endpoints.endpoint import AddressMap

NAME = "TCP"
"""Name of the check."""

CONNECT_WAIT_S = 3.0
"""Timeout in seconds of one connect."""

AT_ONCE = 16
"""Number of addresses that are tried in parallel."""

NEXT_STEPS = {
    "refused": "nothing listens there: check host and port, and that the server runs; behind a tunnel, that the tunnel "
    "is up",
    "unreachable": "nothing came back: let this machine in, on this port, in the server's security group (and its "
    "subnet's network ACL), and check that there is a route",
    "no_route": "this machine has no route there: check its network, VPN, VPC peering and route tables",
    "no_connection": "check host and port",
}
"""Problem -> next step."""


def resolve_and_connect(
    runner: CheckRunner, address: str, address_map: AddressMap
) -> Checks[socket.socket]:
    """Check name resolution and TCP of `address` ("host:port"), or of the address that `address_map` gives for it.

    Returns a connection to the first IP address that accepts one, or None after a failed check.
    """
    host, port = split(map_address(address, address_map))
    addresses = yield from resolve(runner, host)
    if addresses is None:
        return None
    return (yield from connect(runner, addresses, port))


def connect(runner: CheckRunner, addresses: Sequence[str], port: int) -> Checks[socket.socket]:
    """Check TCP to all `addresses`. Return a connection to the first that accepts one, or None."""
    first: socket.socket | None = None
    reached, failed = [], []
    problem = ""
    # A cluster's name may have many addresses, and each filtered port costs the whole timeout.
    results = list(in_parallel(lambda address: _try_connect(address, port), addresses, AT_ONCE))
    for address, result in zip(addresses, results, strict=True):
        if isinstance(result, OSError):
            problem, reason = explain(result)
            failed.append(f"{address} port {port}: {reason}")
            continue
        reached.append(address)
        if first is None:
            first = result
        else:
            result.close()
    if first is None:
        yield runner.fail(NAME, problem, "; ".join(failed), NEXT_STEPS[problem])
    elif failed:
        yield runner.warn(
            NAME,
            "partly_" + problem,
            f"{', '.join(reached)} port {port} takes connections, but not {'; '.join(failed)}",
            f"the others cost a connection a moment until it is known who answers; {NEXT_STEPS[problem]}",
        )
    else:
        yield runner.ok(NAME, f"{', '.join(reached)} port {port} takes connections")
    return first


def _try_connect(address: str, port: int) -> socket.socket | OSError:
    try:
        return open_tcp(address, port)
    except OSError as error:
        return error


def open_tcp(address: str, port: int) -> socket.socket:
    """Return a connection to an IP address, which the deadline of the check watches. Blocks. Raises OSError."""
    sock = socket.create_connection((address, port), CONNECT_WAIT_S)
    watch(lambda: sock)
    return sock


def explain(error: OSError) -> tuple[str, str]:
    """Return the problem behind a failed connect, and its text."""
    if isinstance(error, ConnectionRefusedError):
        return "refused", "refused"
    if isinstance(error, TimeoutError):
        return "unreachable", f"no answer within {CONNECT_WAIT_S:.0f} s"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "no_route", (error.strerror or str(error)).lower()
    return "no_connection", (error.strerror or str(error)).lower()
