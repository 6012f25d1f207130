"""What a Redis user may do, out of what telemon will do."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import AskError, MovedError, NoPermissionError, ResponseError

from engines.doctor.check import CheckRunner, Checks
from engines.wire.resp import SLOTS, key_slot
from engines.workload.redis_keys import DOCTOR_PREFIX, KEY_PREFIX

NAME = "permissions"

COMMAND_DENIED = re.compile(r"permissions? to run the '")
"""In Redis 6 to 8 and Valkey alike; what else is denied is a key."""

LIFE_MS = 10_000
"""What is written to try a right goes away by itself, should telemon be killed in between."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a user lacks: commands by name, and whether it may use telemon's keys."""

    commands: tuple[str, ...] = ()
    keys: bool = True


def probes(name: bytes, *, cluster: bool, replicas: bool) -> list[tuple[bytes | str | int, ...]]:
    """One call of each command that telemon sends, none of which harms: the only key is `name`."""
    calls: list[tuple[bytes | str | int, ...]] = [
        ("SET", name, "telemon", "PX", LIFE_MS),
        ("GET", name),
        ("SCAN", 0, "MATCH", DOCTOR_PREFIX + b"*", "COUNT", 1),
        ("UNLINK", name),
    ]
    if cluster:
        calls += [("CLUSTER", "SLOTS"), ("ASKING",)]
    if replicas:
        calls.append(("READONLY",))
    return calls


def own_key(owned: Callable[[int], bool] = lambda slot: 0 <= slot < SLOTS) -> bytes:
    """A key of the doctor's own whose slot is `owned`."""
    tag = secrets.token_hex(4).encode()
    number = 0
    while not owned(key_slot(name := DOCTOR_PREFIX + b"%b:%d" % (tag, number))):
        number += 1
    return name


def command(node: Redis, *words: bytes | str | int) -> Any:
    """What the server answers to a command. Raises redis.RedisError."""
    return node.execute_command(*words)  # type: ignore[no-untyped-call]


def read_permissions(node: Redis, calls: list[tuple[bytes | str | int, ...]]) -> Permissions:
    """Ask the server what it would allow, else try. Raises redis.RedisError for what is no question of rights."""
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
    """The user's name, where asking for it and for what it may do is allowed (Redis 7; AWS does not)."""
    try:
        name = command(node, "ACL", "WHOAMI")
        command(node, "ACL", "DRYRUN", name, "PING")
    except ResponseError:
        return None
    return name.decode() if isinstance(name, bytes) else str(name)


def _dry_run(node: Redis, user: str, call: tuple[bytes | str | int, ...]) -> str | None:
    """What the server would say against the call, empty for nothing; None if it cannot be asked."""
    try:
        answer = command(node, "ACL", "DRYRUN", user, *call)
    except ResponseError:
        return None
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return "" if text == "OK" else text


def _try_call(node: Redis, call: tuple[bytes | str | int, ...]) -> str:
    """What the server says against the call, empty for nothing."""
    try:
        command(node, *call)
    except NoPermissionError as error:
        return str(error)
    except (MovedError, AskError):
        pass  # Sent to another node: rights are looked at before.
    return ""


def check_permissions(runner: CheckRunner, lacking: Permissions) -> Checks[bool]:
    """The check over a user's rights."""
    if lacking.commands:
        listed = ", ".join(lacking.commands)
        needed = " ".join("+" + name.lower().replace(" ", "|") for name in lacking.commands)
        yield runner.fail(
            NAME,
            "denied_commands",
            f"the user may not run {listed}",
            f"an administrator must add to the user's rules: {needed}",
        )
        return None
    if not lacking.keys:
        yield runner.fail(
            NAME,
            "denied_keys",
            f"the user may not read and write the keys {KEY_PREFIX.decode()}*",
            f"an administrator must add to the user's rules: ~{KEY_PREFIX.decode()}*",
        )
        return None
    yield runner.ok(NAME, "every command of a race, on telemon's own keys")
    return True
