"""Names of telemon's keys in Redis."""

from __future__ import annotations

KEY_PREFIX = b"telemon:"
"""Every key that telemon writes begins so; it touches no other."""


def key(car_id: int) -> bytes:
    """The key of a car's last telemetry row."""
    return b"%b%d" % (KEY_PREFIX, car_id)
