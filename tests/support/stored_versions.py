"""Reads the version of a row out of what Redis stores."""

from __future__ import annotations


def version_of(value: bytes) -> int:
    """Return the version in a payload. Raises ValueError if there is none."""
    return int(value.rsplit(b":", 1)[1])
