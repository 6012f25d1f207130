"""Address of a server, and how to sign in to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engines.endpoints.credential_sources import CredentialSource
from engines.endpoints.redaction import register
from engines.workload.namespace import DEFAULT, Namespace

AddressMap = tuple[tuple[str, str], ...]
"""("host:port" as the servers name it, "host:port" to connect to) of each node behind a tunnel."""

Verify = Literal["full", "chain", "none"]
"""What is verified. full: certificate chain and host name. chain: the chain only. none: nothing, so any server is
accepted."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """Options of an encrypted connection and of the verification of its certificate.

    `ca_file` (PEM) holds the trusted authorities, in place of the system's. `server_name` is the name that the
    certificate must be for, if it is not the host of the endpoint.
    """

    ca_file: Path | None = None
    verify: Verify = "full"
    server_name: str | None = None

    @property
    def verified(self) -> bool:
        """Return whether the certificate shows whose server it is: its name, or an authority that the user named."""
        return self.verify == "full" or (self.verify == "chain" and self.ca_file is not None)


@dataclass(frozen=True, slots=True)
class MySQLEndpoint:
    """A MySQL or MariaDB server and the database on it that telemon uses. The password is not in its repr.

    `secret` is the source of user and password; None means that `user` and `password` are used. `tls` None means an
    unencrypted connection; `server_key_file` (PEM) then holds the RSA key that may encrypt the password. `host` and
    `port` are the server's own, even if `address_map` has another address for it. `namespace` names the table in the
    database.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    tls: TlsOptions | None = None
    secret: CredentialSource | None = None
    address_map: AddressMap = ()
    server_key_file: Path | None = None
    namespace: Namespace = DEFAULT

    def __post_init__(self) -> None:
        register(self.password)


@dataclass(frozen=True, slots=True)
class RedisEndpoint:
    """A Redis or Valkey server: a single one, or any node of a cluster. The password is not in its repr.

    `cluster` says which of the two it is; None asks the server. `secret`, `tls` and `address_map` are as in
    `MySQLEndpoint`; the map applies to every node that the cluster names. With `read_replicas`, reads of a cluster go
    to replicas if it has any. `namespace` names the keys. `nodes` are the addresses ("host:port") of a private server
    or cluster: no other address is signed in to, and no process of another user. It is empty for the user's servers.
    `product` is what messages call it: "Redis" until the server was asked.
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
    nodes: tuple[str, ...] = ()
    namespace: Namespace = DEFAULT
    product: str = field(default="Redis", compare=False)

    def __post_init__(self) -> None:
        register(self.password)


@dataclass(frozen=True, slots=True)
class LaneEndpoints:
    """Servers of one lane: `mysql` in lanes `mysql` and `cached`, `redis` in `cached` (cache) and `durable`."""

    lane: str
    mysql: MySQLEndpoint | None = None
    redis: RedisEndpoint | None = None

    @property
    def namespace(self) -> Namespace:
        """Return the namespace of the lane's servers, which is the same on all of them."""
        servers = (self.mysql, self.redis)
        return next((server.namespace for server in servers if server is not None), DEFAULT)
