"""The product whose servers the tests start."""

from __future__ import annotations

from engines.sandbox import binaries


def redis_product() -> str:
    """Return what messages call it: Redis, or Valkey."""
    binary = binaries.find_redis()
    assert binary is not None
    return binary.product
