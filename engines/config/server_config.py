"""What a configuration says of one server of a lane, and the endpoint that this makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engines.endpoints.credential_sources import (
    CacheToken,
    CredentialSource,
    FromCommand,
    FromEnvironment,
    FromFile,
    FromSecretsManager,
    RdsToken,
)
from engines.endpoints.endpoint import AddressMap, MySQLEndpoint, RedisEndpoint, TlsOptions, Verify

SECRETS = (
    "password",
    "password_env",
    "password_file",
    "password_command",
    "password_secret",
    "iam",
)
"""The fields that say where a password comes from; at most one of them is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """What the tables of all servers have in common. Without a `host` there is no server: the lane has a private one.

    The fields are the keys of the tables; see `engines.config.settings` and config.example.toml for what they mean.
    """

    host: str | None = None
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    password_env: str | None = None
    password_file: Path | None = None
    password_command: tuple[str, ...] | None = field(default=None, repr=False)
    password_secret: str | None = None
    iam: object = None
    region: str | None = None
    tls: bool = True
    tls_ca: Path | None = None
    tls_verify: Verify = "full"
    tls_server_name: str | None = None
    address_map: AddressMap | None = None

    def faults(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """(fields, what is wrong with them together) for what no single value shows to be wrong."""
        secrets = tuple(name for name in SECRETS if getattr(self, name) not in (None, False, "off"))
        if len(secrets) > 1:
            yield secrets, "only one of these may be set"
        if not self.tls:
            for name in ("tls_ca", "tls_server_name"):
                if getattr(self, name) is not None:
                    yield (name, "tls"), "means nothing without TLS; leave one of the two out"
        if "iam" in secrets:
            if not self.tls or self.tls_verify == "none":
                name = "tls_verify" if self.tls else "tls"
                yield (
                    ("iam", name),
                    "a token is a password in the clear: it goes only to a server whose certificate was verified",
                )
            if self.user is None:
                yield ("iam", "user"), "a token is for a user; name the user"

    def encryption(self) -> TlsOptions | None:
        """How its connections are encrypted."""
        if not self.tls:
            return None
        return TlsOptions(self.tls_ca, self.tls_verify, self.tls_server_name)

    def source(self) -> CredentialSource | None:
        """Where its password comes from, when it is not `password`."""
        if self.password_env is not None:
            return FromEnvironment(self.password_env)
        if self.password_file is not None:
            return FromFile(self.password_file)
        if self.password_command is not None:
            return FromCommand(self.password_command)
        if self.password_secret is not None:
            return FromSecretsManager(self.password_secret, self.region)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MySQLConfig(ServerConfig):
    """A MySQL, MariaDB, RDS or Aurora server."""

    port: int = 3306
    database: str = "telemon"
    iam: bool = False

    def faults(self) -> Iterator[tuple[tuple[str, ...], str]]:
        yield from ServerConfig.faults(self)
        if self.user is None and self.password_secret is None and not self.iam:
            yield ("host", "user"), "MySQL has no user by default; name the user"

    def endpoint(self) -> MySQLEndpoint:
        """Where it is. Only for one with a host, and without faults."""
        assert self.host is not None
        secret = self.source()
        if self.iam:
            assert self.user is not None
            secret = RdsToken(self.host, self.port, self.user, self.region)
        return MySQLEndpoint(
            self.host,
            self.port,
            self.user or "",
            self.password or "",
            self.database,
            tls=self.encryption(),
            secret=secret,
            address_map=self.address_map or (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig(ServerConfig):
    """A Redis, Valkey, ElastiCache or MemoryDB server or cluster."""

    port: int = 6379
    cluster: Literal["auto", "on", "off"] = "auto"
    read_from: Literal["primaries", "replicas"] = "primaries"
    iam: Literal["off", "elasticache", "elasticache-serverless", "memorydb"] = "off"
    iam_name: str | None = None

    def faults(self) -> Iterator[tuple[tuple[str, ...], str]]:
        yield from ServerConfig.faults(self)
        if (self.iam == "off") != (self.iam_name is None):
            yield (
                ("iam", "iam_name"),
                "one needs the other: iam_name is the replication group, serverless cache or cluster that the token "
                "is for",
            )
        if self.cluster == "off" and self.read_from == "replicas":
            yield ("cluster", "read_from"), "only a cluster's replicas are known"

    def endpoint(self) -> RedisEndpoint:
        """Where it is. Only for one with a host, and without faults."""
        assert self.host is not None
        secret = self.source()
        if self.iam != "off":
            assert self.user is not None
            assert self.iam_name is not None
            secret = CacheToken(self.iam, self.iam_name, self.user, self.region)
        return RedisEndpoint(
            self.host,
            self.port,
            self.password or "",
            cluster={"auto": None, "on": True, "off": False}[self.cluster],
            user=self.user,
            tls=self.encryption(),
            secret=secret,
            address_map=self.address_map or (),
            read_replicas=self.read_from == "replicas",
        )
