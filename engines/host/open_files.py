"""Number of files that a process of this user may have open."""

from __future__ import annotations

import resource
from contextlib import suppress

ENOUGH_FILES = 65_536
"""No process of telemon needs more. Servers inherit the limit, and MariaDB allocates memory for every file that it may
open: without a bound that is gigabytes where the hard limit is a billion, as in many containers."""

OPEN_MAX = 10_240
"""OPEN_MAX of macOS: the largest limit that its kernel takes where the hard limit is said to be infinite."""


def raise_limit() -> int | None:
    """Raise the soft limit of this process and of its future children to the hard limit, at most `ENOUGH_FILES`.

    Return the number of files that a process may have open then; None if it is unlimited. A higher limit stays.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    most = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    for wanted in (most, min(most, OPEN_MAX)):
        if wanted <= soft:
            break
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft
