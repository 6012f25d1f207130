"""Addresses, accounts and TLS options of servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engines.endpoints.credential_sources import CredentialSource

AddressMap = tuple[tuple[str, str], ...]
"""("host:port" as the servers name it, "host:port" where it is reached from here) of each node behind a tunnel."""

Verify = Literal["full", "chain", "none"]
"""full: the certificate's chain and the host name in it; chain: any host name; none: nothing is verified."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """The encryption of a connection, and what is verified of the certificate.

    `ca_file` (PEM) holds the authorities that are trusted instead of the system's. `server_name` is the name in the
    certificate if it is not the host of the endpoint.
    """

    ca_file: Path | None = None
    verify: Verify = "full"
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class MySQLEndpoint:
    """A MySQL or MariaDB server and the database on it that telemon uses. The password never shows in a repr.

    `secret` is the source of user and password; None means that `user` and `password` hold them. `tls` None means no
    encryption. `host` and `port` are the server's own, also if `address_map` leads through a tunnel.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    tls: TlsOptions | None = None
    secret: CredentialSource | None = None
    address_map: AddressMap = ()


@dataclass(frozen=True, slots=True)
class RedisEndpoint:
    """A single Redis or Valkey server, or (`cluster` True) any node of a cluster; None asks the server.

    The password never shows in a repr. `secret`, `tls` and `address_map` are as in `MySQLEndpoint`. The map holds for
    every node that the cluster names. With `read_replicas` a cluster's reads go to replicas, if it has any.
    """

    host: str
    port: int
    password: str = field(repr=False)
    cluster: bool | None = None
    user: str | None = None
    tls: TlsOptions | None = None
    secret: CredentialSource | None = None
    address_map: AddressMap = ()
    read_replicas: bool = False


@dataclass(frozen=True, slots=True)
class LaneEndpoints:
    """The servers of one lane. A lane with both has `redis` as a cache in front of `mysql`."""

    lane: str
    mysql: MySQLEndpoint | None = None
    redis: RedisEndpoint | None = None
