"""Parsing and mapping of network addresses in the form "host:port"."""

from __future__ import annotations

from typing import Any

FoundAddress = tuple[int, tuple[Any, ...]]
"""Address of a name: its family, and the address of a socket as the socket module has it (host and port, and for IPv6
two more numbers)."""


def split(address: str) -> tuple[str, int]:
    """Return host and port of "host:port"; brackets around an IPv6 address are optional and removed."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def map_address(address: str, address_map: tuple[tuple[str, str], ...]) -> str:
    """Return the address to connect to for `address`: the entry in `address_map`, otherwise `address`."""
    for own, here in address_map:
        if own == address:
            return here
    return address
