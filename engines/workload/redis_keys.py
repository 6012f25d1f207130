"""Names of telemon's keys in Redis, and the form of the values that it stores under them."""

from __future__ import annotations

import re

KEY_PREFIX = b"telemon:"
"""Prefix of every key that telemon writes; it changes no other key. A new prefix orphans the keys of earlier runs."""

_FIELDS = re.compile(rb"([0-9]{1,19})(?::[0-9]{1,19}){5}")


def redis_key(car_id: int, prefix: bytes = KEY_PREFIX) -> bytes:
    """Return the key of a car's last telemetry row; `prefix` is that of the namespace."""
    return b"%b%d" % (prefix, car_id)


def is_row(car_id: int, value: object) -> bool:
    """Return whether `value` is a row of this car as telemon stores it: six numbers, the first of them the car's id.

    Any other value under the name of the car's key was put there by somebody else.
    """
    if not isinstance(value, bytes):
        return False
    fields = _FIELDS.fullmatch(value)
    return fields is not None and fields[1] == b"%d" % car_id
