"""Signals that end a race without a screen."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tui.cli import exit_codes

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


REPEAT_S = 0.5
"""Within this time a second SIGINT is the same wish: timeout(1), for one, sends each signal twice."""


class Interrupted(KeyboardInterrupt):
    """A signal asked for an end where there is nothing to wind down yet, or asked again."""


class StopSignals:
    """Turns signals into the end of a race: the first asks it to stop, a second SIGINT does not wait for that."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The first signal that came."""
        self.stop: Callable[[], None] | None = None
        """How to ask the race to end; None while it starts, when a signal abandons the start."""
        self._first_s = 0.0

    @property
    def exit_code(self) -> int | None:
        """What a shell calls a program that a signal ended; None when none came."""
        return None if self.signal is None else exit_codes.for_signal(self.signal)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals, and give them back afterwards. One that is ignored (nohup) stays ignored, but not
        SIGINT: a shell ignores it for every background job, and who sends it by kill means it."""
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
