"""Where a password comes from, when it is not in the configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from engines.endpoints import aws

COMMAND_TIMEOUT_S = 15.0


FILE_LIMIT_BYTES = 1 << 16
"""No secret is larger; a device that is named by mistake never ends."""


IAM_LIFETIME_S = 600.0
"""A token is taken for 900 s after it was signed; a third of that is left for clocks that differ."""


UNTIL_REFUSED_S = float("inf")


class SecretError(Exception):
    """A secret could not be had. One line, and nothing secret in it."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What to sign in with. `user` is None where the source knows only the password."""

    password: str = field(repr=False)
    user: str | None = None


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """The password is in an environment variable."""

    name: str
    lifetime_s: ClassVar[float] = UNTIL_REFUSED_S

    def fetch(self) -> Credential:
        """Raises SecretError."""
        password = os.environ.get(self.name)
        if not password:
            raise SecretError(f"the environment variable {self.name} (password_env) is not set")
        return Credential(password)


@dataclass(frozen=True, slots=True)
class FromFile:
    """The password is a file's content, without the newline at its end."""

    path: Path
    lifetime_s: ClassVar[float] = UNTIL_REFUSED_S

    def fetch(self) -> Credential:
        """Raises SecretError."""
        try:
            with self.path.open("rb") as file:
                content = file.read(FILE_LIMIT_BYTES + 1)
        except OSError as error:
            raise SecretError(
                f"{self.path} (password_file) cannot be read: {error.strerror}"
            ) from error
        return Credential(_password(content, f"{self.path} (password_file)"))


@dataclass(frozen=True, slots=True)
class FromCommand:
    """The password is what a command prints, without the newline at its end. No shell runs it."""

    words: tuple[str, ...] = field(repr=False)  # an argument may be a token
    lifetime_s: ClassVar[float] = UNTIL_REFUSED_S

    def fetch(self) -> Credential:
        """Raises SecretError. What the command says on stderr is not shown: it may be as secret as its output."""
        import subprocess

        name = f"{self.words[0]} (password_command)"
        try:
            ran = subprocess.run(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except OSError as error:
            raise SecretError(f"{name} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            # Its text would quote the whole command.
            raise SecretError(f"{name} did not end within {COMMAND_TIMEOUT_S:.0f} s") from None
        if ran.returncode:
            how = f"exit code {ran.returncode}" if ran.returncode > 0 else "a signal"
            raise SecretError(f"{name} ended with {how}; run it by hand to see why")
        return Credential(_password(ran.stdout, name))


@dataclass(frozen=True, slots=True)
class FromSecretsManager:
    """User and password are in a secret of AWS Secrets Manager: JSON as RDS writes it, or the password alone."""

    secret_id: str
    region: str | None = None
    lifetime_s: ClassVar[float] = UNTIL_REFUSED_S

    def fetch(self) -> Credential:
        """Raises SecretError."""
        try:
            user, password = aws.secret_value(self.secret_id, self.region)
        except aws.AwsError as error:
            raise SecretError(f"{self.secret_id} (password_secret): {error}") from None
        return Credential(password, user)


@dataclass(frozen=True, slots=True)
class RdsToken:
    """The password is a token that RDS and Aurora take from an IAM user for 15 minutes."""

    host: str
    port: int
    user: str
    region: str | None = None
    lifetime_s: ClassVar[float] = IAM_LIFETIME_S

    def fetch(self) -> Credential:
        """Raises SecretError."""
        try:
            return Credential(aws.rds_token(self.host, self.port, self.user, self.region))
        except aws.AwsError as error:
            raise SecretError(f"no IAM token for {self.user}@{self.host}: {error}") from None


@dataclass(frozen=True, slots=True)
class CacheToken:
    """The password is a token that ElastiCache and MemoryDB take from an IAM user for 15 minutes.

    `name` is the replication group, the serverless cache or the MemoryDB cluster.
    """

    service: Literal["elasticache", "elasticache-serverless", "memorydb"]
    name: str
    user: str
    region: str | None = None
    lifetime_s: ClassVar[float] = IAM_LIFETIME_S

    def fetch(self) -> Credential:
        """Raises SecretError."""
        try:
            token = aws.cache_token(self.service, self.name, self.user, self.region)
        except aws.AwsError as error:
            raise SecretError(f"no IAM token for {self.user} at {self.name}: {error}") from None
        return Credential(token)


def origin(source: CredentialSource | None) -> str:
    """Where a password comes from, as the configuration names it; None is the configuration itself."""
    match source:
        case FromEnvironment(name):
            return f"password_env {name}"
        case FromFile(path):
            return f"password_file {path}"
        case FromCommand(words):
            return f"password_command {words[0]}"
        case FromSecretsManager(secret_id):
            return f"password_secret {secret_id}"
        case RdsToken() | CacheToken():
            return "iam"
    return "password in the configuration"


CredentialSource = (
    FromEnvironment | FromFile | FromCommand | FromSecretsManager | RdsToken | CacheToken
)


def _password(content: bytes, name: str) -> str:
    try:
        password = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretError(f"{name}: not a password: not UTF-8") from None
    if not password or len(content) > FILE_LIMIT_BYTES or not password.isprintable():
        raise SecretError(f"{name}: not a password: must be one line, not empty")
    return password
