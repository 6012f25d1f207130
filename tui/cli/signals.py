"""Handle the signals that end a race without a screen."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from tui.cli import exit_codes

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that stop a race."""


REPEAT_S = 0.5
"""A second SIGINT within this time in seconds is ignored: timeout(1), for one, sends each signal twice."""

NO_SUSPEND = (
    b"telemon: does not suspend: its load would go on without it; SIGINT (Ctrl-C) ends the race\n"
)
"""Answer to Ctrl-Z and SIGTSTP."""


class Interrupted(KeyboardInterrupt):
    """A signal arrived while there was no race to stop yet, or a second SIGINT arrived."""


class StopSignals:
    """The signal handler that ends a race: the first signal stops it, and a second SIGINT does not wait for that."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The first signal that arrived; None if none did."""
        self.stop: Callable[[], None] | None = None
        """Callback that stops the race; None while it starts, when a signal abandons the start."""
        self._first_s = 0.0

    @property
    def exit_code(self) -> int | None:
        """Return the exit code that a shell reports for the first signal; None if none arrived."""
        return None if self.signal is None else exit_codes.for_signal(self.signal)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals inside the block, and restore the previous handlers afterwards.

        A signal that is ignored (nohup) stays ignored, except SIGINT: a shell ignores SIGINT for every background job,
        so a SIGINT sent by kill is intended. Raises Interrupted from within the block.
        """
        before = {}
        # Both would stop this process, and the engine processes would go on without it.
        if signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
            before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, _refuse_stop)
        before[signal.SIGTTOU] = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        for number in STOP_SIGNALS:
            if number is signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, self._received)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _received(self, number: int, _: FrameType | None) -> None:
        """Stop the race at the first signal; raise Interrupted at a second SIGINT or while there is no race to stop."""
        now_s = time.monotonic()
        if self.signal is None:
            self.signal, self._first_s = number, now_s
            if self.stop is None:
                raise Interrupted
            self.stop()
        elif number == signal.SIGINT and now_s - self._first_s > REPEAT_S:
            raise Interrupted


def _refuse_stop(_number: int, _frame: FrameType | None) -> None:
    """Say on stderr that telemon does not suspend. Does not block; the stream itself may be in use at this moment."""
    with suppress(OSError, AttributeError, ValueError):
        descriptor = sys.stderr.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if poll.poll(0):
            os.write(descriptor, NO_SUSPEND)
