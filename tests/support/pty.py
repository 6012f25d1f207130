"""Telemon in a pseudo-terminal of its own, in a process of its own: what it writes, and how it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]


class OnPty:
    """A process whose terminal is ours: `module` of the tests' programs, which tells its result on a descriptor.
    `rate_bytes_per_s` is how fast that terminal takes in what it is sent."""

    def __init__(
        self,
        *arguments: str,
        size: tuple[int, int],
        environ: Mapping[str, str] | None = None,
        rate_bytes_per_s: float | None = None,
        own_session: bool = True,
        module: str = "tests.support.pty_app",
    ) -> None:
        self.rate_bytes_per_s = rate_bytes_per_s
        self.received = bytearray()
        self.seconds: list[tuple[float, int]] = []
        """When how many bytes had been received."""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        kept = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("SSH_", "TMUX", "STY", "NO_COLOR", "TEXTUAL", "COLOR"))
        }  # fmt: skip
        # Textual asks stdout for its size, so the result needs another way out.
        self._result, told = os.pipe()
        kept |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--result", str(told), *arguments],
            stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, pass_fds=(told,),
            env={**kept, **(environ or {})}, start_new_session=own_session,
        )  # fmt: skip
        os.close(slave)
        os.close(told)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._result)
        self.hang_up()

    def hang_up(self) -> None:
        """Close our side of the terminal."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def drain(self, seconds: float) -> bool:
        """Take in what comes for so long; False when the process has closed its side before."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            ready, _, _ = select.select([self.master], [], [], min(left_s, 0.05))
            if not ready:
                if self.process.poll() is not None:
                    return False
                continue
            piece = 65536
            if self.rate_bytes_per_s is not None:
                piece = max(1, round(self.rate_bytes_per_s / 50))
                time.sleep(0.02)
            try:
                data = os.read(self.master, piece)
            except OSError:
                return False
            if not data:
                return False
            self.received += data
            self.seconds.append((time.monotonic(), len(self.received)))
        return True

    def drain_until(self, sign: bytes, seconds: float) -> bool:
        """Take in what comes until `sign` is in it."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            if sign in self.received:
                return True
            if not self.drain(0.05):
                return sign in self.received
        return False

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self.master, keys.encode())

    def result(self, seconds: float) -> tuple[int, str]:
        """Wait for the end (taking in what still comes): exit code, and the line of JSON."""
        end_s = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end_s:
            if self.master >= 0:
                self.drain(0.05)
            else:
                time.sleep(0.05)
        assert self.process.poll() is not None, f"still alive after {seconds} s"
        return self.process.returncode, os.read(self._result, 65536).decode()
