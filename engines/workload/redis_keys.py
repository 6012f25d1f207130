"""Names of telemon's keys in Redis, and the form of the values that it stores under them."""

from __future__ import annotations

import re

KEY_PREFIX = b"telemon:"
"""Prefix of every key that telemon writes; it changes no other key. A new prefix orphans the keys of earlier runs."""

MAX_DIGITS = 19
"""Digits of the largest number that MySQL's BIGINT holds. Python refuses to read more than 4,300."""

_FORM = re.compile(rb"[0-9]{1,%d}(?::[0-9]{1,%d}){5}" % (MAX_DIGITS, MAX_DIGITS))


def redis_key(car_id: int, prefix: bytes = KEY_PREFIX) -> bytes:
    """Return the key of a car's last telemetry row; `prefix` is that of the namespace."""
    return b"%b%d" % (prefix, car_id)


def is_payload(value: bytes) -> bool:
    """Return whether `value` has the form of a row: six whole numbers of at most `MAX_DIGITS` digits.

    This is the only definition of the form: what telemon reads, what it stores in a cache and what it takes for its own
    are judged by it. Nothing but the places of digits decides, so that values that differ in their digits alone are
    judged alike.
    """
    return _FORM.fullmatch(value) is not None


def is_row(car_id: int, value: object) -> bool:
    """Return whether `value` is a row of this car as telemon stores it: a payload whose first number is the car's id.

    Any other value under the name of the car's key was put there by somebody else.
    """
    return isinstance(value, bytes) and is_payload(value) and value.startswith(b"%d:" % car_id)
