"""Product and version of a Redis-compatible server, from its INFO reply."""

from __future__ import annotations

from collections.abc import Mapping


def product_and_version(server: Mapping[str, object]) -> tuple[str, str]:
    """Return product and version from `server`, the section "server" of INFO.

    Valkey reports `redis_version` too: the version of Redis that it is compatible with. Only its first release, 7.2.4,
    has `server_name` and no version of its own, or an administrator hides one of the two.
    """
    version = str(server.get("valkey_version") or server.get("redis_version", ""))
    valkey = "valkey_version" in server or server.get("server_name") == "valkey"
    return ("Valkey" if valkey else "Redis"), version
