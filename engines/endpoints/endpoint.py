"""Where a server is and how to sign in to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engines.endpoints.credential_sources import CredentialSource

AddressMap = tuple[tuple[str, str], ...]
"""("host:port" as the servers name it, "host:port" where it is reached from here) of each node behind a tunnel."""

Verify = Literal["full", "chain", "none"]
"""full: the certificate's chain and the host name in it; chain: any host name; none: whoever answers is believed."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How a connection is encrypted, and what its certificate must show.

    `ca_file` (PEM) holds the authorities that are trusted instead of the system's; `server_name` is the name that the
    certificate must be for, where that is not the host of the endpoint.
    """

    ca_file: Path | None = None
    verify: Verify = "full"
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class MySQLEndpoint:
    """A MySQL or MariaDB server and the database on it that telemon uses. The password never shows in a repr.

    `secret` is where user and password come from; None means that `user` and `password` are they. `tls` None means
    an open connection. `host` and `port` are the server's own, also where `address_map` says another way to it.
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
    """A Redis or Valkey server: one on its own, or (`cluster`) any node of a cluster; None asks the server.

    The password never shows in a repr. `secret`, `tls` and `address_map` are as in `MySQLEndpoint`; the map holds for
    every node that the cluster names. With `read_replicas` a cluster's reads go to replicas, where it has some.
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
    """One lane's servers: `mysql` in lanes `mysql` and `cached`, `redis` in `cached` (the cache) and `durable`."""

    lane: str
    mysql: MySQLEndpoint | None = None
    redis: RedisEndpoint | None = None
