"""Names of telemon's keys in Redis."""

from __future__ import annotations

import re

KEY_PREFIX = b"telemon:"
"""Prefix of every key that telemon writes; it changes no other key. A new prefix orphans the keys of earlier runs."""

DOCTOR_PREFIX = KEY_PREFIX + b"doctor:"
"""Prefix of the keys with which `telemon doctor` tests permissions that it can only test by writing."""

_OWN = re.compile(rb"%b[0-9]{1,19}|%b[0-9a-f]+:[0-9]+" % (KEY_PREFIX, DOCTOR_PREFIX))


def is_telemon_key(name: bytes) -> bool:
    """Return whether `name` has the form of telemon's keys; other applications may use the same prefix."""
    return _OWN.fullmatch(name) is not None


def redis_key(car_id: int) -> bytes:
    """Return the key of a car's last telemetry row."""
    return b"%b%d" % (KEY_PREFIX, car_id)
