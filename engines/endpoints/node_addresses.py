"""Which addresses that a cluster names telemon connects to.

A server can name any address as a node of its cluster, and telemon signs in to nodes with a password. So what the user
configured or telemon started is connected to as it is, and a node that only a server names is looked at first.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from socket import SOCK_STREAM, getaddrinfo

from engines.endpoints.address import map_address, split
from engines.endpoints.endpoint import RedisEndpoint

METADATA = frozenset(
    {
        *("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"),
        *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
    }
)
"""Addresses at which clouds hand out credentials: AWS (instance, container, pod), Google, Alibaba, Azure, Oracle."""

THIS_NETWORK = ip_network("0.0.0.0/8")
"""RFC 1122. Linux connects to this machine for 0.0.0.0."""

NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""RFC 6052, and RFC 8215 for prefixes of 96 bits. The last four bytes are an IPv4 address."""


class ForbiddenNodeError(ConnectionError):
    """A server named a node that telemon must not connect to. The one-line message says why."""


def is_configured(address: str, endpoint: RedisEndpoint) -> bool:
    """Return whether the user named `address` ("host:port"), or telemon started the server there."""
    return (
        address == f"{endpoint.host}:{endpoint.port}"
        or address in endpoint.nodes
        or any(address == real for real, _ in endpoint.address_map)
    )


def targets(address: str, endpoint: RedisEndpoint) -> list[str]:
    """Return the addresses to try, in this order, for the node that the servers call `address` ("host:port").

    The name of a node that is not configured is resolved here, so that what was looked at is what is connected to.
    Blocks while it is resolved. Raises ForbiddenNodeError, or OSError if the name is unknown.
    """
    if is_configured(address, endpoint):
        return [map_address(address, endpoint.address_map)]
    if endpoint.nodes:
        raise ForbiddenNodeError(f"{address} is no server that telemon started")
    host, port = split(address)
    found = _resolve(host, port)
    for ip in found:
        kind = special_kind(ip)
        if kind is not None and kind not in _kinds_of(endpoint):
            raise ForbiddenNodeError(
                f"the cluster names the node {address}, which leads to {kind} ({ip}) while {endpoint.host}:"
                f"{endpoint.port} does not; name the node in address_map if that is meant"
            )
    return [f"[{ip}]:{port}" for ip in found]


def special_kind(ip: str) -> str | None:
    """Return what a special IP address leads to, None for every other address.

    Special are this machine (loopback, unspecified), the local link, and each address of cloud metadata.
    """
    address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif any(address in prefix for prefix in NAT64):
            address = ip_address(int(address) & 0xFFFF_FFFF)
    if str(address) in METADATA:
        return f"the metadata service {address}"
    if address.is_loopback or address.is_unspecified or address in THIS_NETWORK:
        return "this machine"
    return "the local link" if address.is_link_local else None


def _kinds_of(endpoint: RedisEndpoint) -> frozenset[str]:
    """Return the kinds of special addresses that the configured server itself is on; empty if its name is unknown."""
    try:
        found = _resolve(endpoint.host, endpoint.port)
    except OSError:
        return frozenset()
    return frozenset(kind for ip in found if (kind := special_kind(ip)) is not None)


def _resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of `host`, which may also be a number as connect() takes it ("127.1", "0x7f000001")."""
    try:
        found = getaddrinfo(host, port, type=SOCK_STREAM)
    except UnicodeError as error:
        # Raised by Python's host name codec if a label is empty or too long.
        raise OSError(f"{host!r} is no host name: {error}") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))
