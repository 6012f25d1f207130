"""Readiness of sockets, with the cheapest call that the platform offers."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

READ = 0x1
WRITE = 0x4
"""EPOLLIN and EPOLLOUT, which have the same values as POLLIN and POLLOUT."""

TIMER_SLACK = Path("/proc/self/timerslack_ns")
TIMER_SLACK_NS = 1_000
"""Requested timer slack. With a larger one, such as the kernel's default of 50 us, open-loop operations start late."""


def set_timer_slack() -> None:
    """Set the timer slack of the main thread to `TIMER_SLACK_NS`, where the system has one.

    Linux may end a wait up to 50 us late to combine several wake-ups (PR_SET_TIMERSLACK in prctl(2), timerslack_ns in
    proc(5)). In an open loop every operation would start late by that time, which would count as response time.
    """
    with suppress(OSError):  # exists on Linux only
        TIMER_SLACK.write_text(str(TIMER_SLACK_NS), encoding="ascii")


if sys.platform == "linux":

    class Poller:
        """Level-triggered epoll.

        Performance: `selectors` on top of it costs 0.5 us more per event.
        """

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.register = self._epoll.register
            self.modify = self._epoll.modify
            self.unregister = self._epoll.unregister
            self.close = self._epoll.close
            self.poll: Callable[[float], list[tuple[int, int]]] = self._epoll.poll
            """Returns (file descriptor, event mask) of ready descriptors. Blocks for at most the timeout in seconds,
            which is rounded up to a millisecond."""

        def poll_precisely(self, timeout_s: float) -> list[tuple[int, int]]:
            """Poll as `poll` does, with a timeout of microsecond resolution.

            `select` supports that resolution, and an epoll descriptor can itself be selected.
            """
            if timeout_s > 0:
                select.select([self._epoll], [], [], timeout_s)
            return self._epoll.poll(0)

else:

    class Poller:
        """Poller based on `select.poll`, for systems without epoll."""

        def __init__(self) -> None:
            self._poll = select.poll()
            self.register = self._poll.register
            self.modify = self._poll.modify
            self.unregister = self._poll.unregister

        def poll(self, timeout_s: float) -> list[tuple[int, int]]:
            """Return (file descriptor, event mask) of ready descriptors; block for at most `timeout_s`."""
            return self._poll.poll(timeout_s * 1000)

        poll_precisely = poll
        """The same: the timeout has a resolution of one millisecond here."""

        def close(self) -> None:
            """Do nothing: a `select.poll` object owns no descriptor."""
