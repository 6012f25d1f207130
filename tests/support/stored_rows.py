"""Rows as the servers store them."""

from __future__ import annotations


def version_of(value: bytes) -> int:
    """Return the version in a stored payload; raise ValueError if there is none."""
    return int(value.rsplit(b":", 1)[1])
