"""Output of a child process, kept for what it says when the process dies."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress

PIPE_READ_BYTES = 1 << 20
"""How much is read of a pipe at once. More than the kernel lets an unprivileged user keep in one (pipe(7))."""


class CapturedOutput:
    """File for the stderr of a child process: `fileno()` goes to `subprocess.Popen`.

    It is in memory, so that a system on which nothing can be written runs a race too. Where there are no files in
    memory it is a temporary file, and where none can be made either, a pipe; what no longer fits into that is lost and
    blocks nobody. Raises OSError if this process may open no more files.
    """

    def __init__(self, name: str) -> None:
        self._write_end: int | None = None
        if hasattr(os, "memfd_create"):
            self._descriptor = os.memfd_create(name)
            return
        try:
            with tempfile.TemporaryFile() as file:
                self._descriptor = os.dup(file.fileno())
        except FileNotFoundError:  # "No usable temporary directory"
            self._descriptor, self._write_end = os.pipe()
            os.set_blocking(self._descriptor, False)
            os.set_blocking(self._write_end, False)

    def fileno(self) -> int:
        """Return the descriptor to write to."""
        return self._descriptor if self._write_end is None else self._write_end

    def tail(self, length_bytes: int) -> str:
        """Return the last `length_bytes` that were written; "" for nothing, or after `close`. Does not block."""
        if self._descriptor < 0:
            return ""
        if self._write_end is None:
            end = os.fstat(self._descriptor).st_size
            content = os.pread(self._descriptor, length_bytes, max(0, end - length_bytes))
        else:
            content = b""
            with suppress(BlockingIOError):
                content = os.read(self._descriptor, PIPE_READ_BYTES)
        return content[-length_bytes:].decode("utf-8", "replace")

    def close(self) -> None:
        """Give the file up. Further calls do nothing."""
        for descriptor in (self._descriptor, self._write_end):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
        self._descriptor, self._write_end = -1, None
