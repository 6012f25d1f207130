"""How long to wait before trying again."""

from __future__ import annotations

from random import random

FIRST_S = 0.02
CAP_S = 0.5
"""Short of a second, so that a lane races again soon after its server is back."""


def delay_s(failures: int) -> float:
    """The pause in s after so many failures in a row: doubling from `FIRST_S` to `CAP_S`, with jitter over its upper
    half, so that many connections lost together do not come back together."""
    longest = min(CAP_S, FIRST_S * 2.0 ** min(max(failures, 1) - 1, 16))
    return longest * (0.5 + random() / 2)
