"""Names of telemon's keys in Redis."""

from __future__ import annotations

import re

KEY_PREFIX = b"telemon:"
"""Every key that telemon writes begins so; it touches no other."""

DOCTOR_PREFIX = KEY_PREFIX + b"doctor:"
"""What `telemon doctor` tries a user's rights with, where it must try."""

_OWN = re.compile(rb"%b[0-9]{1,19}|%b[0-9a-f]+:[0-9]+" % (KEY_PREFIX, DOCTOR_PREFIX))


def is_telemon_key(name: bytes) -> bool:
    """Whether a key is named as telemon names its keys: somebody else may use the same prefix."""
    return _OWN.fullmatch(name) is not None


def redis_key(car_id: int) -> bytes:
    """The key of a car's last telemetry row."""
    return b"%b%d" % (KEY_PREFIX, car_id)
