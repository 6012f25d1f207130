"""Write the screen's bytes to the terminal."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


class TerminalWriter:
    """A writer to the terminal of `stream` that bypasses `stream` itself.

    Python's own streams have a lock. A thread that writes to a terminal which does not read would hold the lock of
    stderr for good, and the interpreter waits for that lock when it ends.
    """

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding
        self._errors = stream.errors or "strict"

    def fileno(self) -> int:
        """Return the terminal's file descriptor."""
        return self._descriptor

    def write(self, text: str) -> int:
        """Write `text` and return its length. Blocks until the terminal has taken all of it.

        Text for a terminal that has gone is discarded.
        """
        left = memoryview(text.encode(self._encoding, self._errors))
        with suppress(OSError):
            while left:
                left = left[os.write(self._descriptor, left) :]
        return len(text)

    def flush(self) -> None:
        """Do nothing, because `write` does not buffer."""
