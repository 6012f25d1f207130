"""Open TCP and TLS connections to servers, with keep-alive, through a tunnel if one is configured."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from ipaddress import ip_address

from engines.backends.happy_eyeballs import connect_first
from engines.endpoints.address import FoundAddress, map_address, split
from engines.endpoints.daemon_threads import in_thread
from engines.endpoints.deadline import left_s, note_step, watch
from engines.endpoints.endpoint import AddressMap, TlsOptions
from engines.endpoints.tls import ssl_context

CONNECT_TIMEOUT_S = 3.0
"""Timeout in seconds for each address of a name, which are tried side by side, and for the TLS handshake."""

IO_TIMEOUT_S = 5.0
"""Timeout in seconds for a read or write."""

RESOLVE_WAIT_S = 5.0
"""Timeout in seconds for looking a name up, which the system's resolver does not let anybody interrupt."""

OPEN_LIMIT_S = 10.0
"""Total time in seconds for opening a connection: name, TCP, TLS and sign-in, whatever each read of it takes. A server
that is slow to accept needs 3 s; one that sends its greeting a byte at a time needs minutes."""

KEEP_ALIVE_IDLE_S = 30
"""Seconds without traffic before the first keep-alive probe.

NAT gateways and load balancers of AWS drop connections that are idle for 350 s, so keep it well below.
"""

KEEP_ALIVE_EVERY_S = 10
"""Seconds between keep-alive probes."""
KEEP_ALIVE_PROBES = 3
"""Number of unanswered probes after which the connection is broken."""


def dial(address: str, address_map: AddressMap = ()) -> socket.socket:
    """Return a TCP connection to "host:port", or to the address that `address_map` gives for it.

    Of several addresses of the host, the first that answers is taken. Reads and writes time out after `IO_TIMEOUT_S`.
    The deadline of the caller's work is watched while it connects; whoever uses the connection watches it from then
    on. Blocks. Raises OSError, which names the addresses if there are several.
    """
    target = map_address(address, address_map)
    return dial_any(target, (target,))


def dial_any(name: str, targets: Sequence[str]) -> socket.socket:
    """Return a TCP connection as `dial` does, to whichever of `targets` ("host:port" each) answers first.

    `name` is what all of them are an address of. Blocks. Raises OSError.
    """
    found: list[FoundAddress] = []
    for target in targets:
        try:
            found += _look_up(*split(target))
        except (ValueError, OverflowError) as error:
            # Raised by Python's host name codec if a label is empty or too long, and for a NUL or a port
            # beyond 16 bits. A server may report such a node.
            raise OSError(f"{target!r} is no address: {error}") from error
    hosts = dict.fromkeys(str(address[0]) for _, address in found)
    note_step(f"TCP connection to {', '.join(hosts)}")
    sock = connect_first(name, found, CONNECT_TIMEOUT_S)
    sock.settimeout(IO_TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_IDLE_S),
        ("TCP_KEEPALIVE", KEEP_ALIVE_IDLE_S),  # the macOS name of TCP_KEEPIDLE
        ("TCP_KEEPINTVL", KEEP_ALIVE_EVERY_S),
        ("TCP_KEEPCNT", KEEP_ALIVE_PROBES),
    ):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return sock


def _look_up(host: str, port: int) -> list[FoundAddress]:
    """Return family and address of each address of a name. Raises OSError or UnicodeError."""
    flags = 0
    try:
        # A numeric address needs no name server, and no thread to wait for one.
        ip_address(host.partition("%")[0])
    except ValueError:
        pass
    else:
        flags = socket.AI_NUMERICHOST

    def ask() -> list[FoundAddress]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
        return [(int(family), address) for family, _, _, _, address in found]

    if flags:
        return ask()
    note_step("looking its name up")
    return in_thread(
        ask, RESOLVE_WAIT_S, f"no name server answered within {RESOLVE_WAIT_S:.0f} s for {host}"
    )


def wrap_tls(sock: socket.socket, tls: TlsOptions, host: str) -> ssl.SSLSocket:
    """Return `sock` with TLS, connected to a server named `host`. Blocks.

    Raises OSError (ssl.SSLError) and closes the socket then.
    """
    note_step("TLS handshake")
    wrapped: socket.socket = sock
    try:
        sock.settimeout(left_s(CONNECT_TIMEOUT_S))
        wrapped = encrypted = ssl_context(tls).wrap_socket(
            sock, server_hostname=tls.server_name or host, do_handshake_on_connect=False
        )
        watch(lambda: encrypted)
        encrypted.do_handshake()
    except BaseException:
        wrapped.close()
        raise
    wrapped.settimeout(IO_TIMEOUT_S)
    return encrypted
