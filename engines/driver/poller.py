"""Which sockets are ready, at the least cost the platform offers."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

READ = 0x1
WRITE = 0x4
"""EPOLLIN and EPOLLOUT, which are POLLIN and POLLOUT too."""

TIMER_SLACK = Path("/proc/self/timerslack_ns")
TIMER_SLACK_NS = 1_000


def set_timer_slack() -> None:
    """Let the waits of the main thread end when their time is over.

    Linux may let them end 50 us late, so as to wake for several at once (PR_SET_TIMERSLACK in prctl(2), timerslack_ns
    in proc(5)), and in an open loop all that is due would begin so late and count as a longer response.
    """
    with suppress(OSError):  # elsewhere there is no such file
        TIMER_SLACK.write_text(str(TIMER_SLACK_NS), encoding="ascii")


if sys.platform == "linux":

    class Poller:
        """epoll, level-triggered. `selectors` on top of it costs half a microsecond an event more."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.register = self._epoll.register
            self.modify = self._epoll.modify
            self.unregister = self._epoll.unregister
            self.close = self._epoll.close
            self.poll: Callable[[float], list[tuple[int, int]]] = self._epoll.poll
            """(file descriptor, events) of what is ready, after at most a timeout in seconds, rounded up to a ms."""

        def poll_precisely(self, timeout_s: float) -> list[tuple[int, int]]:
            """As `poll`, with a timeout in us: select takes one, and an epoll can itself be selected."""
            if timeout_s > 0:
                select.select([self._epoll], [], [], timeout_s)
            return self._epoll.poll(0)

else:

    class Poller:
        """poll, where there is no epoll."""

        def __init__(self) -> None:
            self._poll = select.poll()
            self.register = self._poll.register
            self.modify = self._poll.modify
            self.unregister = self._poll.unregister

        def poll(self, timeout_s: float) -> list[tuple[int, int]]:
            """(file descriptor, events) of what is ready, after at most `timeout_s`."""
            return self._poll.poll(timeout_s * 1000)

        poll_precisely = poll
        """No better than a ms here."""

        def close(self) -> None:
            """Nothing to close: poll holds no descriptor of its own."""
