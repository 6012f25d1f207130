"""What every command says on stderr."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread

from engines.endpoints.redaction import redact
from engines.text import one_line

WAIT_S = 1.0
"""How long a line may wait for a terminal or a reader that takes no bytes, in seconds."""


class PatientWriter:
    """A writer whose callers wait for a stuck terminal once and no longer than `WAIT_S`.

    A terminal that was stopped (Ctrl-S), or a pipe that nobody reads, would else hold the race and its result. Lines
    that come while it takes none are dropped. The thread writes to the descriptor itself: holding the lock of
    `sys.stderr`, it would keep Python from ending.
    """

    def __init__(self) -> None:
        self._lines: SimpleQueue[tuple[int, bytes, Event]] = SimpleQueue()
        self._written = Event()
        self._written.set()
        self._thread: Thread | None = None
        self._lock = Lock()

    def write(self, descriptor: int, line: bytes) -> None:
        """Write a line, or drop it if the one before is still not written. Blocks for at most `WAIT_S`."""
        with self._lock:
            if not self._written.is_set():
                return
            if self._thread is None:
                self._thread = Thread(target=self._run, name="stderr", daemon=True)
                self._thread.start()
            self._written = Event()
            self._lines.put((descriptor, line, self._written))
            self._written.wait(WAIT_S)

    def _run(self) -> None:
        while True:
            descriptor, line, written = self._lines.get()
            with suppress(OSError):
                while line:
                    line = line[os.write(descriptor, line) :]
            written.set()


_WRITER = PatientWriter()


def log_line(text: str) -> None:
    """Print an error, a warning or a step of the progress on stderr, in one line and without secrets.

    A stderr that cannot be written is ignored: it ends no command. One that takes no bytes is waited for once.
    """
    stream = sys.stderr
    if stream is None:  # closed; `print` would take stdout, which is for data
        return
    line = f"telemon: {one_line(redact(text))}\n"
    with suppress(OSError, ValueError):
        try:
            descriptor = stream.fileno()
        except (AttributeError, OSError, ValueError):  # no real file
            print(line, end="", file=stream, flush=True)
            return
        _WRITER.write(descriptor, line.encode(stream.encoding or "utf-8", "backslashreplace"))
