"""The queue of controls that other threads send to a race."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from engines.model.controls import Control


class ControlQueue:
    """A queue of controls, and the request to stop.

    Any thread and any signal handler may call `send` and `stop` at any time. After `open`, both wake a `select` on
    `fileno`.
    """

    def __init__(self) -> None:
        self._controls: deque[Control] = deque()
        self._read_end: socket.socket | None = None
        self._write_end: socket.socket | None = None
        self.stop_requested = False

    def open(self) -> None:
        """Open the sockets that wake the race. Raises OSError if there are no descriptors left."""
        self._read_end, self._write_end = socket.socketpair()
        self._read_end.setblocking(False)
        self._write_end.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor that is readable after `send` and `stop`."""
        assert self._read_end is not None
        return self._read_end.fileno()

    def send(self, control: Control) -> None:
        """Add a control and wake the race. Does not block."""
        self._controls.append(control)
        self._wake()

    def stop(self) -> None:
        """Request the end of the race and wake it. Does not block."""
        self.stop_requested = True
        self._wake()

    def _wake(self) -> None:
        write_end = self._write_end
        if write_end is not None:
            # A full buffer wakes the race as well. After `close` nobody waits.
            with suppress(OSError):
                write_end.send(b"\0")

    def clear_wakeup(self) -> None:
        """Make `fileno` unreadable until the next `send` or `stop`."""
        assert self._read_end is not None
        with suppress(BlockingIOError):
            self._read_end.recv(4096)

    def controls(self) -> Iterator[Control]:
        """Yield the controls in the order in which they were sent, and remove them."""
        while self._controls:
            yield self._controls.popleft()

    def close(self) -> None:
        """Close the sockets. `send` and `stop` may still be called and wake nobody."""
        for end in (self._read_end, self._write_end):
            if end is not None:
                end.close()
