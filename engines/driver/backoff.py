"""Pauses between attempts."""

from __future__ import annotations

from random import random

FIRST_S = 0.02
CAP_S = 0.5
"""Upper limit of the pause. Below one second, so that a lane continues soon after its server is back."""


def delay_s(failures: int) -> float:
    """Return the pause in seconds after `failures` failures in a row.

    The pause doubles from `FIRST_S` to `CAP_S`. Its upper half is random, so that connections lost together do not
    reconnect at the same moment.
    """
    longest = min(CAP_S, FIRST_S * 2.0 ** min(max(failures, 1) - 1, 16))
    return longest * (0.5 + random() / 2)
