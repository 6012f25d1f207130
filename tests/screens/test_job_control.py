"""Telemon as a job of a shell: in the background it draws nothing and does not stop; `fg` draws everything."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pty import ROOT

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


class Shell:
    """An interactive shell with a terminal of its own."""

    def __init__(self) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            environ = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PS1": "shell> "}
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environ)
        self.seen = b""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read(self, seconds: float) -> None:
        """Read what comes within so long."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            if select.select([self.master], [], [], left_s)[0]:
                self.seen += os.read(self.master, 65536)

    def shows(self, sign: bytes, seconds: float = 40) -> None:
        """Read until `sign` was written, and forget what was before it."""
        end_s = time.monotonic() + seconds
        while sign not in self.seen:
            assert time.monotonic() < end_s, (sign, self.seen[-500:])
            self.read(0.1)
        self.seen = self.seen.partition(sign)[2]


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    yield made
    os.kill(made.pid, signal.SIGKILL)
    os.close(made.master)
    os.waitpid(made.pid, 0)


def test_a_job_in_the_background_draws_nothing_and_comes_back_with_fg(shell: Shell) -> None:
    shell.shows(b"shell> ")
    shell.type(
        f"{sys.executable} -m tests.support.pty_app --result 1 --linger --frames 1000 --interval 0.1\n"
    )
    shell.shows(b"racing")
    (child,) = Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGSTOP)
    shell.shows(b"shell> ")
    shell.type("stty sane; bg\n")
    shell.shows(b"shell> ")
    shell.read(1.5)
    shell.seen = b""
    shell.read(1.5)
    assert shell.seen == b""
    # What is typed is for the shell.
    shell.type("echo $((20 + 3))q\n")
    shell.shows(b"23q")
    state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
    assert state != "T"
    shell.type("fg\n")
    shell.shows(b"\x1b[?1049h")
    shell.shows(b"Durable Redis")
    shell.type("q")
    shell.shows(b'"code": 0')
