"""What a server of Redis' kind is, by its INFO."""

from __future__ import annotations

from collections.abc import Mapping


def product_and_version(server: Mapping[str, object]) -> tuple[str, str]:
    """The product and the version of one whose INFO has this section `server`. Valkey has a `redis_version` too: that
    of the Redis that it is compatible with."""
    if "valkey_version" in server:
        return "Valkey", str(server["valkey_version"])
    return "Redis", str(server.get("redis_version", ""))
