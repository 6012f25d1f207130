"""How telemon says to a Redis or Valkey server who it is: CLIENT LIST then shows its name and version.

A server may refuse it: the user's rights lack it, the command is renamed, or a proxy knows it not. Then it is not sent
again by this process, because a server counts and logs each refusal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from engines import __version__

Command = tuple[str, ...]

SERVER_BUSY = RedisConnectionError
"""redis-py's class for the errors that are not about the command: not signed in, too many clients, still loading."""

COMMANDS: tuple[Command, ...] = (
    # A name must have no space in it.
    ("CLIENT", "SETNAME", f"telemon-{__version__}"),
    # Redis 7.2, Valkey.
    ("CLIENT", "SETINFO", "LIB-NAME", "telemon"),
    ("CLIENT", "SETINFO", "LIB-VER", __version__),
)
"""What is sent on each connection, in one packet with the sign-in."""

_refused: set[tuple[str, str, str]] = set()
"""Address, user, and command with its subcommand."""


def introduction(address: str, user: str) -> tuple[Command, ...]:
    """Return the commands for a new connection of `user` to `address`, without those that were refused before."""
    return tuple(each for each in COMMANDS if (address, user, _name(each)) not in _refused)


def note_answers(
    address: str, user: str, answers: Iterable[tuple[Command, RedisError | None]]
) -> None:
    """Remember which commands were refused. `answers` holds each one with the server's error, None for none."""
    for command, error in answers:
        if error is not None and not isinstance(error, SERVER_BUSY):
            _refused.add((address, user, _name(command)))


def note_hang_up(address: str, user: str, commands: Sequence[Command]) -> None:
    """Remember that what answers hangs up on one of `commands`, and keeps the connection without them."""
    _refused.update((address, user, _name(command)) for command in commands)


def _name(command: Command) -> str:
    return " ".join(command[:2])
