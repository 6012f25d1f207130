"""Product and version from INFO."""

from __future__ import annotations

from engines.wire.redis_info import product_and_version


def test_valkey_names_the_redis_that_it_is_compatible_with_besides() -> None:
    """As Valkey 8.0 and Redis 7.0 answer INFO server."""
    valkey = {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.0.1"}
    assert product_and_version(valkey) == ("Valkey", "8.0.1")
    assert product_and_version({"redis_version": "7.0.15", "redis_mode": "standalone"}) == (
        "Redis",
        "7.0.15",
    )
    assert product_and_version({}) == ("Redis", "")
