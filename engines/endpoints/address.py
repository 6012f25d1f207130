"""Names of places on a network: hosts, "host:port", and maps from one to another."""

from __future__ import annotations


def split(address: str) -> tuple[str, int]:
    """Host and port of "host:port"; an IPv6 address needs no brackets, and loses those that it has."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def map_address(address: str, address_map: tuple[tuple[str, str], ...]) -> str:
    """Where `address` is reached from here: what `ways` says, else itself."""
    for own, here in address_map:
        if own == address:
            return here
    return address
