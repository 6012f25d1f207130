"""Offset between this machine's clock and a server's."""

from __future__ import annotations

import time
from collections.abc import Callable

from engines.doctor.check import Check, CheckRunner

NAME = "clock"
"""Name of the check."""

MAX_OFFSET_S = 60.0
"""Offset in seconds that causes a warning.

AWS accepts signatures that are off by up to 300 s (Signature Version 4). A clock that is off by a minute is not
synchronized and drifts further.
"""


def offset_s(server_utc_s: Callable[[], float | None]) -> float | None:
    """Return how far this machine's clock is ahead of the server's in seconds; None if the server does not tell.

    The error is at most half of the duration of `server_utc_s`.
    """
    asked_s = time.time()
    server_s = server_utc_s()
    return None if server_s is None else (asked_s + time.time()) / 2 - server_s


def check_clock(runner: CheckRunner, ahead_s: float) -> Check:
    """Check a clock that is `ahead_s` seconds ahead of the server's."""
    finding = f"{abs(ahead_s):,.1f} s {'ahead of' if ahead_s >= 0 else 'behind'} the server's"
    if abs(ahead_s) <= MAX_OFFSET_S:
        return runner.ok(NAME, finding)
    return runner.warn(
        NAME,
        "clock_off",
        f"this machine's clock is {finding}",
        "set the one that is wrong (timedatectl shows this machine's): from 5 minutes on AWS refuses IAM tokens and "
        "Secrets Manager, and certificates look expired or not valid yet",
    )
