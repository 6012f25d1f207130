"""Signals that end a race without a screen."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


REPEAT_S = 0.5
"""Time after the first signal in which a SIGINT is ignored, because timeout(1) sends each signal twice. With 0, the
second one ends the race without its result."""


class Interrupted(KeyboardInterrupt):
    """A signal that ends the program at once: during the start, or the second SIGINT."""


class StopSignals:
    """The signal handlers of a race: the first signal stops the race, a second SIGINT raises Interrupted."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """Number of the first signal, None before it."""
        self.stop: Callable[[], None] | None = None
        """Function that stops the race. None while the race starts: a signal abandons the start then."""
        self._first_s = 0.0

    @property
    def exit_code(self) -> int | None:
        """Return the exit code of a program that the signal ended; None if no signal came."""
        return None if self.signal is None else 128 + self.signal

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Install the handlers, and restore the former ones on exit.

        A signal that is ignored (nohup) stays ignored. SIGINT does not: a shell ignores it for every background job,
        but a SIGINT sent by `kill` is meant.
        """
        before = {}
        for number in STOP_SIGNALS:
            if number is signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, self._received)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _received(self, number: int, _: FrameType | None) -> None:
        now_s = time.monotonic()
        if self.signal is None:
            self.signal, self._first_s = number, now_s
            if self.stop is None:
                raise Interrupted
            self.stop()
        elif number == signal.SIGINT and now_s - self._first_s > REPEAT_S:
            raise Interrupted
