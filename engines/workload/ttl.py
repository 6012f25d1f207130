"""Time to live of cache entries."""

from __future__ import annotations


def jittered_ttl_ms(ttl_ms: float, jitter: float, sample: float) -> int:
    """Return `ttl_ms` spread evenly by up to the fraction `jitter` either way, at least 1 ms.

    `sample` is a random number from 0 to 1. Entries filled at the same moment then do not expire at the same moment.
    """
    return max(1, round(ttl_ms * (1 + jitter * (2 * sample - 1))))
