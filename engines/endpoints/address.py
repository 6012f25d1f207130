"""Names of places on a network: hosts, "host:port", and maps from one to another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from engines.config.value_types import RejectedError

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
"""Labels of 1 to 63 characters (RFC 1035, section 2.3.4); a dot at the end is the root's."""


def split(address: str) -> tuple[str, int]:
    """Host and port of "host:port"; an IPv6 address needs no brackets, and loses those that it has."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def mapped(address: str, ways: tuple[tuple[str, str], ...]) -> str:
    """Where `address` is reached from here: what `ways` says, else itself."""
    for real, here in ways:
        if real == address:
            return here
    return address


@dataclass(frozen=True, slots=True)
class Host:
    """A host name or an IP address."""

    metavar = "HOST"
    allowed = "a host name or an IP address; the port has a key of its own"

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise RejectedError
        if HOST_NAME.fullmatch(value):
            return value
        try:
            return str(ip_address(value))
        except ValueError as error:
            raise RejectedError from error

    def parse(self, text: str) -> str:
        return self.read(text.strip())


@dataclass(frozen=True, slots=True)
class Ways:
    """A table from addresses as the servers name them to those where they are reached."""

    metavar = "MAP"
    allowed = 'a table like { "node-1:6379" = "127.0.0.1:7001" }, each side a host and a port'

    def read(self, value: object) -> tuple[tuple[str, str], ...]:
        if not isinstance(value, dict) or not value:
            raise RejectedError
        return tuple((_address(real), _address(here)) for real, here in value.items())

    def parse(self, text: str) -> tuple[tuple[str, str], ...]:
        """As in an environment variable: "node-1:6379=127.0.0.1:7001,node-2:6379=127.0.0.1:7002"."""
        pairs = [pair.partition("=") for pair in text.split(",")]
        return self.read({real.strip(): here.strip() for real, _, here in pairs})


def _address(value: object) -> str:
    if not isinstance(value, str) or not re.search(r":[0-9]{1,5}$", value, re.ASCII):
        raise RejectedError
    host, port = split(value)
    if not 1 <= port <= 65_535:
        raise RejectedError
    return f"{Host().read(host)}:{port}"
