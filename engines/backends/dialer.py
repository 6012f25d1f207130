"""Opens connections to servers: by way of a tunnel where there is one, kept alive, encrypted as the endpoint says."""

from __future__ import annotations

import socket
import ssl

from engines.endpoints.address import map_address, split
from engines.endpoints.endpoint import AddressMap, TlsOptions
from engines.endpoints.tls import ssl_context

CONNECT_TIMEOUT_S = 3.0
"""For each address that a name has, and for the handshake of TLS."""

IO_TIMEOUT_S = 5.0

KEEP_ALIVE_IDLE_S = 30
"""NAT gateways and load balancers of AWS forget a connection that was idle for 350 s."""

KEEP_ALIVE_EVERY_S = 10
KEEP_ALIVE_PROBES = 3


def dial(address: str, address_map: AddressMap = ()) -> socket.socket:
    """A connection to "host:port", or to where `ways` says that this is reached. Raises OSError.

    Reads and writes on it time out after `IO_TIMEOUT_S`.
    """
    target = map_address(address, address_map)
    try:
        sock = socket.create_connection(split(target), CONNECT_TIMEOUT_S)
    except UnicodeError as error:
        # From Python's codec for host names: a label is empty or too long. A server may name such a node.
        raise OSError(f"{target!r} is no address: {error}") from error
    sock.settimeout(IO_TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_IDLE_S),
        ("TCP_KEEPALIVE", KEEP_ALIVE_IDLE_S),  # its name on macOS
        ("TCP_KEEPINTVL", KEEP_ALIVE_EVERY_S),
        ("TCP_KEEPCNT", KEEP_ALIVE_PROBES),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock


def wrap_tls(sock: socket.socket, tls: TlsOptions, host: str) -> ssl.SSLSocket:
    """TLS over `sock` to a server that calls itself `host`. Raises OSError (ssl.SSLError) and closes the socket."""
    try:
        sock.settimeout(CONNECT_TIMEOUT_S)
        wrapped = ssl_context(tls).wrap_socket(sock, server_hostname=tls.server_name or host)
    except BaseException:
        sock.close()
        raise
    wrapped.settimeout(IO_TIMEOUT_S)
    return wrapped
