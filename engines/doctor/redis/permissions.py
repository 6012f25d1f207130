"""Permissions of a Redis user for the commands that telemon sends."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import AskError, MovedError, NoPermissionError, ResponseError

from engines.backends.redis.optional import is_unknown_command
from engines.doctor.check import CheckRunner, Checks
from engines.doctor.target import Target
from engines.endpoints.endpoint import RedisEndpoint
from engines.wire.resp import SLOTS, key_slot
from engines.workload.namespace import DEFAULT, Namespace

NAME = "permissions"
"""Name of the check."""

COMMAND_DENIED = re.compile(r"permissions? to run the '")
"""Text of a denied command in Redis 6 to 8 and Valkey. Any other denial is about a key."""

LIFE_MS = 10_000
"""Time to live in ms of the key that tests a permission, in case telemon is killed before it deletes the key."""


LEASE_COMMANDS = ("PEXPIRE",)
"""Commands that only a lease needs: without them a race is run, and its fairness sheet says so."""


REDIRECT_COMMANDS = ("ASKING",)
"""Commands that a race sends only while slots of a cluster are moved."""

CLEAN_COMMANDS = ("SCAN", "UNLINK")
"""Commands that `clean` needs. A race needs the second one too where it empties a cache before its start."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Missing permissions: commands by name, and whether telemon's keys may be used."""

    commands: tuple[str, ...] = ()
    keys: bool = True


def probes(name: bytes, *, cluster: bool, replicas: bool) -> list[tuple[bytes | str | int, ...]]:
    """Return one harmless call of each command that telemon sends. Their only key is `name`."""
    calls: list[tuple[bytes | str | int, ...]] = [
        ("SET", name, "telemon", "PX", LIFE_MS),
        ("GET", name),
        ("PEXPIRE", name, LIFE_MS),
        ("SCAN", 0, "MATCH", DEFAULT.doctor_prefix + b"*", "COUNT", 1),
        ("UNLINK", name),
    ]
    if cluster:
        calls += [("CLUSTER", "SLOTS"), ("ASKING",)]
    if replicas:
        calls.append(("READONLY",))
    return calls


def own_key(
    namespace: Namespace, owned: Callable[[int], bool] = lambda slot: 0 <= slot < SLOTS
) -> bytes:
    """Return a key of the doctor whose slot satisfies `owned`."""
    tag = secrets.token_hex(4).encode()
    number = 0
    while not owned(key_slot(name := namespace.doctor_prefix + b"%b:%d" % (tag, number))):
        number += 1
    return name


def command(node: Redis, *words: bytes | str | int) -> Any:
    """Send a command and return its reply. Raises redis.RedisError."""
    return node.execute_command(*words)  # type: ignore[no-untyped-call]


def read_permissions(node: Redis, calls: list[tuple[bytes | str | int, ...]]) -> Permissions:
    """Ask the server what it would allow, or try each call if it does not tell.

    Raises redis.RedisError for errors other than missing permissions.
    """
    user = _whoami(node)
    can_dry_run = user is not None
    commands, keys = [], True
    for call in calls:
        denial = _dry_run(node, user, call) if can_dry_run and user is not None else None
        if denial is None:
            can_dry_run = False
            denial = _try_call(node, call)
        if COMMAND_DENIED.search(denial):
            words = call[:2] if call[0] == "CLUSTER" else call[:1]
            commands.append(" ".join(str(word) for word in words))
        elif denial:
            keys = False
    return Permissions(tuple(commands), keys)


def _whoami(node: Redis) -> str | None:
    """Return the user's name if ACL WHOAMI and ACL DRYRUN are allowed (Redis 7, but not on AWS), else None."""
    try:
        name = command(node, "ACL", "WHOAMI")
        command(node, "ACL", "DRYRUN", name, "PING")
    except ResponseError:
        return None
    return name.decode() if isinstance(name, bytes) else str(name)


def _dry_run(node: Redis, user: str, call: tuple[bytes | str | int, ...]) -> str | None:
    """Return the server's denial of the call, "" if it allows it, None if ACL DRYRUN fails."""
    try:
        answer = command(node, "ACL", "DRYRUN", user, *call)
    except ResponseError:
        return None
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return "" if text == "OK" else text


def _try_call(node: Redis, call: tuple[bytes | str | int, ...]) -> str:
    """Send the call. Return the server's denial, "" if it allows it."""
    try:
        command(node, *call)
    except NoPermissionError as error:
        return str(error)
    except (MovedError, AskError):
        pass  # The key belongs to another node. Permissions were checked before the redirect.
    except ResponseError as error:
        if not is_unknown_command(error):
            raise
        return f"no permissions to run the '{call[0]!s}' command: it is unknown"
    return ""


def check_permissions(
    runner: CheckRunner, lacking: Permissions, target: Target[RedisEndpoint]
) -> Checks[bool]:
    """Check the permissions of a user: it fails if a race is not possible without those that are missing."""
    namespace = target.endpoint.namespace
    optional = {*LEASE_COMMANDS, *REDIRECT_COMMANDS, *CLEAN_COMMANDS}
    if target.cache:
        # What is in it is removed before a race.
        optional.remove("UNLINK")
    needed = [name for name in lacking.commands if name not in optional]
    if needed:
        listed = ", ".join(needed)
        yield runner.fail(
            NAME,
            "denied_commands",
            f"the user may not run {listed}",
            f"an administrator must add to the user's rules: {_rules(needed)}",
        )
        return None
    if not lacking.keys:
        yield runner.fail(
            NAME,
            "denied_keys",
            f"the user may not read and write the keys {namespace.key_prefix.decode()}*",
            f"an administrator must add to the user's rules: ~{namespace.key_prefix.decode()}*",
        )
        return None
    for problem, commands, consequence in (
        ("denied_lease", LEASE_COMMANDS, "nothing keeps another telemon off while one races"),
        ("denied_asking", REDIRECT_COMMANDS, "operations fail while the cluster moves their slots"),
        ("denied_clean", CLEAN_COMMANDS, "a race can do without, `telemon clean` cannot"),
    ):
        denied = [name for name in lacking.commands if name in commands]
        if denied:
            yield runner.warn(
                NAME,
                problem,
                f"the user may not run {', '.join(denied)}: {consequence}",
                f"an administrator should add to the user's rules: {_rules(denied)}",
            )
    if not lacking.commands:
        yield runner.ok(NAME, "every command of a race, on telemon's own keys")
    return True


def _rules(commands: Iterable[str]) -> str:
    """Return the ACL rules that allow the commands."""
    return " ".join("+" + name.lower().replace(" ", "|") for name in commands)
