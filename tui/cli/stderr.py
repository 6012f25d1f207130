"""Writing to stderr: a terminal that takes no bytes keeps nothing else waiting."""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import suppress
from typing import TextIO

WAIT_S = 1.0
"""How long to wait for the terminal to take a line, in seconds. Once it has taken that long, nothing waits for it."""

WAITING_LINES = 1000
"""Maximum number of lines that wait for the terminal. The others are discarded."""


def print_error(line: str) -> None:
    """Write a line to stderr; ignore a stderr that cannot be written.

    Blocks for at most `WAIT_S` seconds if stderr is a terminal, and until the reader reads if it is a pipe.
    """
    stream = sys.stderr
    with suppress(OSError, ValueError, AttributeError):
        if stream is not None and stream is sys.__stderr__ and stream.isatty():
            stream.flush()
            _TERMINAL.write((line + "\n").encode(stream.encoding, "backslashreplace"), stream)
        else:
            print(line, file=stream, flush=True)


class _TerminalLines:
    """Lines on their way to a terminal, written by a thread that ends with the process.

    The stream itself is not used: a thread that waits in it would hold its lock, and the interpreter waits for that
    lock when it ends.
    """

    def __init__(self) -> None:
        self._lines: queue.Queue[tuple[bytes, int]] = queue.Queue(WAITING_LINES)
        self._idle = threading.Condition()
        self._left = 0
        """Number of lines that are not written yet."""
        self._stuck = False
        self._thread: threading.Thread | None = None

    def write(self, line: bytes, stream: TextIO) -> None:
        """Write a line, and wait for it unless the terminal has not taken the last one."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
            self._thread.start()
        with self._idle:
            try:
                self._lines.put_nowait((line, stream.fileno()))
            except queue.Full:
                return
            self._left += 1
            if not self._stuck:
                self._stuck = not self._idle.wait_for(lambda: not self._left, WAIT_S)

    def _run(self) -> None:
        while True:
            line, descriptor = self._lines.get()
            left = memoryview(line)
            with suppress(OSError):
                while left:
                    left = left[os.write(descriptor, left) :]
            with self._idle:
                self._left -= 1
                if not self._left:
                    self._stuck = False
                    self._idle.notify_all()


_TERMINAL = _TerminalLines()
