"""Open TCP and TLS connections to servers, with keep-alive, through a tunnel if one is configured."""

from __future__ import annotations

import socket
import ssl

from engines.endpoints.address import map_address, split
from engines.endpoints.endpoint import AddressMap, TlsOptions
from engines.endpoints.tls import ssl_context

CONNECT_TIMEOUT_S = 3.0
"""Timeout in seconds for each address of a name, and for the TLS handshake."""

IO_TIMEOUT_S = 5.0
"""Timeout in seconds for a read or write."""

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

    Reads and writes on it time out after `IO_TIMEOUT_S`. Blocks. Raises OSError.
    """
    target = map_address(address, address_map)
    try:
        sock = socket.create_connection(split(target), CONNECT_TIMEOUT_S)
    except UnicodeError as error:
        # Raised by Python's host name codec if a label is empty or too long. A server may report
        # such a node.
        raise OSError(f"{target!r} is no address: {error}") from error
    sock.settimeout(IO_TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_IDLE_S),
        ("TCP_KEEPALIVE", KEEP_ALIVE_IDLE_S),  # the macOS name of TCP_KEEPIDLE
        ("TCP_KEEPINTVL", KEEP_ALIVE_EVERY_S),
        ("TCP_KEEPCNT", KEEP_ALIVE_PROBES),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock


def wrap_tls(sock: socket.socket, tls: TlsOptions, host: str) -> ssl.SSLSocket:
    """Return `sock` with TLS, connected to a server named `host`. Blocks.

    Raises OSError (ssl.SSLError) and closes the socket then.
    """
    try:
        sock.settimeout(CONNECT_TIMEOUT_S)
        wrapped = ssl_context(tls).wrap_socket(sock, server_hostname=tls.server_name or host)
    except BaseException:
        sock.close()
        raise
    wrapped.settimeout(IO_TIMEOUT_S)
    return wrapped
