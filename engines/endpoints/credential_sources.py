"""Sources of passwords that are not in the configuration.

Engine processes fetch credentials themselves, because a token expires and a password changes while they run. What a
source reads from the environment is its `environment`: an engine process receives it if it signs in with that source.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from engines.child_environment import aws_environment, of_names, user_environment
from engines.endpoints import aws
from engines.endpoints.redaction import register

LEAST_ARGUMENT = 16
"""An argument of a password command of at least this length may be a token, and is shown nowhere."""

COMMAND_TIMEOUT_S = 15.0
"""How long a password command may run, in seconds."""


FILE_LIMIT_BYTES = 1 << 16
"""No secret is larger. The limit ends the read if a device is named by mistake."""


IAM_LIFETIME_S = 600.0
"""How long a token is used. It is valid for 900 s after signing; a third is reserved for clocks that differ."""


UNTIL_REFUSED_S = float("inf")
"""Lifetime of a credential that is valid until a server refuses it."""


class SecretError(Exception):
    """A secret could not be obtained; one line without secret content."""


@dataclass(frozen=True, slots=True)
class Credential:
    """User and password to sign in with. `user` is None if the source has only the password.

    Every password that this process obtains becomes one of these, and so is known to `engines.endpoints.redaction`.
    """

    password: str = field(repr=False)
    user: str | None = None

    def __post_init__(self) -> None:
        register(self.password)


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """Password in an environment variable."""

    name: str
    lifetime_s: ClassVar[float] = UNTIL_REFUSED_S

    def __post_init__(self) -> None:
        register(os.environ.get(self.name, ""))

    def environment(self) -> dict[str, str]:
        """Return the variables that `fetch` reads: this one."""
        return of_names([self.name])

    def fetch(self) -> Credential:
        """Return the credential; raise SecretError if the variable is not set."""
        password = os.environ.get(self.name)
        if not password:
            raise SecretError(f"the environment variable {self.name} (password_env) is not set")
        return Credential(password)


@dataclass(frozen=True, slots=True)
class FromFile:
    """Password in a file, without the newline at its end."""

    path: Path
    lifetime_s: ClassVar[float] = UNTIL_REFUSED_S

    def environment(self) -> dict[str, str]:
        """Return the variables that `fetch` reads: none."""
        return {}

    def fetch(self) -> Credential:
        """Return the credential; raise SecretError if the file is unreadable or holds no password."""
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
    """Password printed by a command, without the newline at its end. The command runs without a shell."""

    words: tuple[str, ...] = field(repr=False)  # an argument may be a token
    lifetime_s: ClassVar[float] = UNTIL_REFUSED_S

    def __post_init__(self) -> None:
        for word in self.words[1:]:
            if len(word) >= LEAST_ARGUMENT:
                register(word)

    def environment(self) -> dict[str, str]:
        """Return the variables that the command may read: it is unknown which it needs."""
        return user_environment()

    def fetch(self) -> Credential:
        """Run the command and return the credential; blocks for at most `COMMAND_TIMEOUT_S`.

        Raises SecretError. The command's stderr is not shown: it may be as secret as its output.
        """
        import subprocess

        name = f"{self.words[0]} (password_command)"
        try:
            ran = subprocess.run(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=user_environment(),
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except OSError as error:
            raise SecretError(f"{name} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            # The text of the exception would quote the whole command.
            raise SecretError(f"{name} did not end within {COMMAND_TIMEOUT_S:.0f} s") from None
        if ran.returncode:
            how = f"exit code {ran.returncode}" if ran.returncode > 0 else "a signal"
            raise SecretError(f"{name} ended with {how}; run it by hand to see why")
        return Credential(_password(ran.stdout, name))


@dataclass(frozen=True, slots=True)
class FromSecretsManager:
    """User and password in a secret of AWS Secrets Manager: JSON as RDS writes it, or the password alone."""

    secret_id: str
    region: str | None = None
    lifetime_s: ClassVar[float] = UNTIL_REFUSED_S

    def environment(self) -> dict[str, str]:
        """Return the variables that `fetch` reads: those of AWS."""
        return aws_environment()

    def fetch(self) -> Credential:
        """Request the secret and return the credential; blocks. Raises SecretError."""
        try:
            user, password = aws.secret_value(self.secret_id, self.region)
        except aws.AwsError as error:
            raise SecretError(f"{self.secret_id} (password_secret): {error}") from None
        return Credential(password, user)


@dataclass(frozen=True, slots=True)
class RdsToken:
    """Token that RDS and Aurora accept from an IAM user for 15 minutes."""

    host: str
    port: int
    user: str
    region: str | None = None
    lifetime_s: ClassVar[float] = IAM_LIFETIME_S

    def environment(self) -> dict[str, str]:
        """Return the variables that `fetch` reads: those of AWS."""
        return aws_environment()

    def fetch(self) -> Credential:
        """Return a new token as the credential; raise SecretError."""
        try:
            return Credential(aws.rds_token(self.host, self.port, self.user, self.region))
        except aws.AwsError as error:
            raise SecretError(f"no IAM token for {self.user}@{self.host}: {error}") from None


@dataclass(frozen=True, slots=True)
class CacheToken:
    """Token that ElastiCache and MemoryDB accept from an IAM user for 15 minutes.

    `name` is the replication group, the serverless cache or the MemoryDB cluster.
    """

    service: Literal["elasticache", "elasticache-serverless", "memorydb"]
    name: str
    user: str
    region: str | None = None
    lifetime_s: ClassVar[float] = IAM_LIFETIME_S

    def environment(self) -> dict[str, str]:
        """Return the variables that `fetch` reads: those of AWS."""
        return aws_environment()

    def fetch(self) -> Credential:
        """Return a new token as the credential; raise SecretError."""
        try:
            token = aws.cache_token(self.service, self.name, self.user, self.region)
        except aws.AwsError as error:
            raise SecretError(f"no IAM token for {self.user} at {self.name}: {error}") from None
        return Credential(token)


def origin(source: CredentialSource | None) -> str:
    """Return the source of a password as the configuration names it; None stands for the configuration itself."""
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
    """Return the password in `content`; raise SecretError, which cites `name`, if it is not one line of text."""
    try:
        password = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretError(f"{name}: not a password: not UTF-8") from None
    if not password or len(content) > FILE_LIMIT_BYTES or not password.isprintable():
        raise SecretError(f"{name}: not a password: must be one line, not empty")
    return password
