"""Whether this machine's clock agrees with a server's."""

from __future__ import annotations

import time
from collections.abc import Callable

from engines.doctor.check import Check, CheckRunner

NAME = "clock"

MAX_OFFSET_S = 60.0
"""AWS takes signatures up to 300 s off (Signature Version 4); a clock that is a minute off is set by nobody, and goes
on drifting."""


def offset_s(server_utc_s: Callable[[], float | None]) -> float | None:
    """How far this machine's clock is ahead of the server's, in seconds, give or take half of the time that asking
    takes; None where the server does not say what time it is."""
    asked_s = time.time()
    server_s = server_utc_s()
    return None if server_s is None else (asked_s + time.time()) / 2 - server_s


def check_clock(runner: CheckRunner, ahead_s: float) -> Check:
    """The check of a clock that is so far ahead of the server's."""
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
