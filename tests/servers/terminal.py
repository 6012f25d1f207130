"""telemon in a terminal, driven from outside."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from .own_servers import CODE, ROOT


class Terminal:
    """A pseudo-terminal of 160 columns with telemon on it; `seen` is all that was drawn."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path, code: str = CODE
    ) -> None:
        self._master, slave = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *argv],
            cwd=cwd,
            env={
                **os.environ,
                **environ,
                "PYTHONPATH": str(ROOT),
                "TERM": "xterm-256color",
                "COLUMNS": "160",
                "LINES": "48",
            },
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def press(self, key: str) -> None:
        os.write(self._master, key.encode())

    def read_until(self, word: str, within_s: float = 25.0) -> None:
        """Read until `word` was drawn since the last call, or the terminal is closed."""
        begun, until = len(self.seen), time.monotonic() + within_s
        while word not in self.seen[begun:]:
            assert time.monotonic() < until, f"{word!r} was not drawn"
            if not self._read(0.1):
                break
        assert word in self.seen[begun:], f"{word!r} was not drawn before the end"

    def read_for(self, duration_s: float) -> None:
        until = time.monotonic() + duration_s
        while time.monotonic() < until and self._read(0.1):
            pass

    def read_to_the_end(self, within_s: float = 25.0) -> None:
        """Read until telemon has ended."""
        until = time.monotonic() + within_s
        while self.process.poll() is None:
            assert time.monotonic() < until, "it does not end"
            self._read(0.1)
        self.read_for(0.3)

    def _read(self, wait_s: float) -> bool:
        """Read what there is, waiting for it; whether there may be more."""
        if select.select([self._master], [], [], wait_s)[0]:
            with suppress(OSError):
                data = os.read(self._master, 65_536)
                self.seen += data.decode("utf-8", "replace")
                return bool(data)
            return False
        return True
