"""Where the screen's bytes leave for the terminal."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


class TerminalWriter:
    """Writes to the terminal that `stream` is, past `stream` itself.

    Python's own streams have a lock. A thread that writes to a terminal which has stopped reading would hold that of
    stderr for good, and the interpreter waits for it when it ends.
    """

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding
        self._errors = stream.errors or "strict"

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        """Waits until the terminal has taken all of it. What a terminal that is gone would get goes nowhere."""
        left = memoryview(text.encode(self._encoding, self._errors))
        with suppress(OSError):
            while left:
                left = left[os.write(self._descriptor, left) :]
        return len(text)

    def flush(self) -> None:
        """There is nothing that waits."""
