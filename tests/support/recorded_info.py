"""What servers have answered to INFO, section by section, as redis-py understands it.

The answers of Redis and Valkey are recorded, after two SETs and two GETs. `serverless.txt` is made by hand: what is
known of the proxies before serverless caches, which show less than a server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis._parsers.helpers import parse_info

FOLDER = Path(__file__).parents[1] / "unit" / "backends" / "redis" / "info"

VERSIONS = {
    "redis-7.0": ("Redis", "7.0.15"),
    "redis-8": ("Redis", "8.0.2"),
    "valkey-8": ("Valkey", "8.1.1"),
    "valkey-9": ("Valkey", "9.1.2"),
    "serverless": ("Valkey", "8.1.0"),
}
"""Recorded answer -> product and version, as the servers' programs say them."""


def recorded(name: str) -> dict[str, dict[str, Any]]:
    """Return the sections of a recorded answer."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    parts = [part.partition("\n") for part in text.split("# ")[1:]]
    return {
        title.lower(): parse_info(body.encode())  # type: ignore[no-untyped-call]
        for title, _, body in parts
    }
