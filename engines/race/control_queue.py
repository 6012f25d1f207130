"""What is asked of a race from outside of its own thread."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from engines.model.controls import Control


class ControlQueue:
    """Controls, and the wish to end. `send` and `stop` may be called at any time, from any thread and from a signal
    handler; once `open`, they wake whoever waits for `fileno` to be readable."""

    def __init__(self) -> None:
        self._controls: deque[Control] = deque()
        self._ears: socket.socket | None = None
        self._mouth: socket.socket | None = None
        self.stop_requested = False

    def open(self) -> None:
        """Raises OSError when there are no descriptors left."""
        self._ears, self._mouth = socket.socketpair()
        self._ears.setblocking(False)
        self._mouth.setblocking(False)

    def fileno(self) -> int:
        assert self._ears is not None
        return self._ears.fileno()

    def send(self, control: Control) -> None:
        self._controls.append(control)
        self._wake()

    def stop(self) -> None:
        self.stop_requested = True
        self._wake()

    def _wake(self) -> None:
        mouth = self._mouth
        if mouth is not None:
            # A full buffer wakes as well as one byte more; after `close` nobody waits.
            with suppress(OSError):
                mouth.send(b"\0")

    def clear_wakeup(self) -> None:
        """Be no longer readable, until something else comes."""
        assert self._ears is not None
        with suppress(BlockingIOError):
            self._ears.recv(4096)

    def controls(self) -> Iterator[Control]:
        """The controls that have come, first come first."""
        while self._controls:
            yield self._controls.popleft()

    def close(self) -> None:
        for end in (self._ears, self._mouth):
            if end is not None:
                end.close()
