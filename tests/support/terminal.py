"""telemon in a terminal, driven from outside."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.pty import OnPty
from tests.support.user_servers import CODE


class Terminal(OnPty):
    """A pseudo-terminal of 160 columns with telemon on it, at work in `cwd`; `seen` is all that was drawn."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path, code: str = CODE
    ) -> None:
        super().__init__(
            *(str(cwd), code, *argv),
            size=(160, 48),
            environ=environ,
            module="tests.support.pty_telemon",
        )

    @property
    def seen(self) -> str:
        return self.received.decode("utf-8", "replace")

    def read_until(self, word: str, within_s: float = 25.0) -> None:
        """Read until `word` was drawn since the last call, or the terminal is closed."""
        begun, until_s = len(self.received), time.monotonic() + within_s
        while word.encode() not in self.received[begun:]:
            assert time.monotonic() < until_s, f"{word!r} was not drawn"
            if not self.drain(0.1):
                break
        assert word.encode() in self.received[begun:], f"{word!r} was not drawn before the end"

    def read_to_the_end(self, within_s: float = 25.0) -> None:
        """Read until telemon has ended."""
        self.result(within_s)
        self.drain(0.3)
