"""Configuration of one server of a lane, and the endpoint made from it."""

from __future__ import annotations

# ruff: noqa: RUF009  -- `default_of` returns an immutable value, once per class.
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engines.config.settings import default_of
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
    """The settings that the tables of all servers share. Without a `host` the lane has a private server.

    The fields are the keys of the tables. `engines.config.settings` and config.example.toml say what they mean.
    """

    host: str | None = default_of("mysql.host")
    port: int
    user: str | None = default_of("mysql.user")
    password: str | None = field(default=default_of("mysql.password"), repr=False)
    password_env: str | None = default_of("mysql.password_env")
    password_file: Path | None = default_of("mysql.password_file")
    password_command: tuple[str, ...] | None = field(
        default=default_of("mysql.password_command"), repr=False
    )
    password_secret: str | None = default_of("mysql.password_secret")
    iam: object
    region: str | None = default_of("mysql.region")
    tls: bool = default_of("mysql.tls")
    tls_ca: Path | None = default_of("mysql.tls_ca")
    tls_verify: Verify = default_of("mysql.tls_verify")
    tls_server_name: str | None = default_of("mysql.tls_server_name")
    address_map: AddressMap | None = default_of("mysql.address_map")

    def conflicts(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Return (fields, what is wrong with them together) for values that contradict each other."""
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
        """Return how connections to the server are encrypted; None if they are not."""
        if not self.tls:
            return None
        return TlsOptions(self.tls_ca, self.tls_verify, self.tls_server_name)

    def source(self) -> CredentialSource | None:
        """Return where the password comes from; None if it is `password`."""
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

    port: int = default_of("mysql.port")
    database: str = default_of("mysql.database")
    iam: bool = default_of("mysql.iam")
    server_public_key: Path | None = default_of("mysql.server_public_key")

    def conflicts(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Return (fields, what is wrong with them together) for values that contradict each other."""
        yield from ServerConfig.conflicts(self)
        if self.tls and self.server_public_key is not None:
            yield (
                ("server_public_key", "tls"),
                "with TLS the key is not used; leave one of the two out",
            )
        if self.user is None and self.password_secret is None and not self.iam:
            yield ("host", "user"), "MySQL has no user by default; name the user"

    def endpoint(self) -> MySQLEndpoint:
        """Return where the server is. Call only for one with a host and without conflicts."""
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
            server_key_file=self.server_public_key,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig(ServerConfig):
    """A Redis, Valkey, ElastiCache or MemoryDB server or cluster."""

    port: int = default_of("durable.port")
    cluster: Literal["auto", "on", "off"] = default_of("durable.cluster")
    read_from: Literal["primaries", "replicas"] = default_of("durable.read_from")
    iam: Literal["off", "elasticache", "elasticache-serverless", "memorydb"] = default_of(
        "durable.iam"
    )
    iam_name: str | None = default_of("durable.iam_name")

    def conflicts(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Return (fields, what is wrong with them together) for values that contradict each other."""
        yield from ServerConfig.conflicts(self)
        if (self.iam == "off") != (self.iam_name is None):
            yield (
                ("iam", "iam_name"),
                "one needs the other: iam_name is the replication group, serverless cache or cluster that the token "
                "is for",
            )
        if self.cluster == "off" and self.read_from == "replicas":
            yield ("cluster", "read_from"), "only a cluster's replicas are known"

    def endpoint(self) -> RedisEndpoint:
        """Return where the server is. Call only for one with a host and without conflicts."""
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
