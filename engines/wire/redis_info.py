"""Product and version of a Redis-compatible server, from its INFO reply."""

from __future__ import annotations

from collections.abc import Mapping


def product_and_version(server: Mapping[str, object]) -> tuple[str, str]:
    """Return product and version from `server`, the section "server" of INFO.

    Valkey reports `redis_version` too: the version of Redis that it is compatible with.
    """
    if "valkey_version" in server:
        return "Valkey", str(server["valkey_version"])
    return "Redis", str(server.get("redis_version", ""))
