"""Answers that a race can do without: INFO and CONFIG, which a proxy, a product or an administrator may refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from engines.text import foreign_number

UNANSWERED = (
    ResponseError,
    RedisConnectionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""Exceptions for a command that a server refuses, does not know, answers in a form of its own, or hangs up on.

The last does not hide a server that is gone: the commands of the race itself are sent to it too.
"""


UNKNOWN = ("unknown command", "unknown subcommand", "unsupported command")
"""Parts of the errors for a command that does not exist at the server, or was renamed."""


def is_unknown_command(error: Exception) -> bool:
    """Return whether a server says that it has no such command. Pure."""
    return isinstance(error, ResponseError) and any(text in str(error).lower() for text in UNKNOWN)


def info(node: Redis, section: str) -> Mapping[str, Any]:
    """Return a section of INFO, empty if the server does not show it. Blocks. Raises OSError, redis.TimeoutError."""
    try:
        return dict(node.info(section))
    except UNANSWERED:
        return {}


def setting(node: Redis, name: str) -> str | None:
    """Return a setting, None if the server does not show it. Blocks. Raises OSError, redis.TimeoutError."""
    try:
        value = node.config_get(name).get(name)
    except UNANSWERED:
        return None
    return None if value is None else str(value)


def number(fields: Mapping[str, Any], name: str) -> int | None:
    """Return a field of INFO as a number, None if there is none. Pure."""
    try:
        return foreign_number(fields[name])
    except (LookupError, TypeError):
        return None
