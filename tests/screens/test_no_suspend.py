"""Ctrl-Z, SIGTSTP and SIGCONT: the load never goes on without the process that drives it, and the screen comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.pty import ROOT, OnPty

SIZE = (120, 40)
ARGUMENTS = ("--linger", "--frames", "1000")


def state(pid: int) -> str:
    """The state of a process as the kernel has it: T for one that is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def awaits(pid: int, wanted: str) -> None:
    until_s = time.monotonic() + 20
    while state(pid) != wanted:
        assert time.monotonic() < until_s
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["key", "signal"])
def test_telemon_says_that_it_does_not_suspend(how: str) -> None:
    with OnPty(*ARGUMENTS, size=SIZE) as racing:
        assert racing.drain_until(b"racing", 40)
        if how == "key":
            racing.press("\x1a")
        else:
            os.kill(racing.process.pid, signal.SIGTSTP)
        assert racing.drain_until(b"does not suspend", 20)
        assert state(racing.process.pid) != "T"
        racing.press("q")
        assert racing.result(30)[0] == 0


def test_a_stop_from_outside_is_followed_by_a_whole_redraw_and_working_keys() -> None:
    with OnPty(*ARGUMENTS, size=SIZE) as racing:
        assert racing.drain_until(b"racing", 40)
        for _ in range(2):
            os.kill(racing.process.pid, signal.SIGSTOP)
            awaits(racing.process.pid, "T")
            racing.drain(0.3)
            racing.received.clear()
            # The shell has the terminal meanwhile, and leaves it in its own modes.
            subprocess.run(["stty", "sane"], stdin=racing.master, check=True, timeout=20)
            os.kill(racing.process.pid, signal.SIGCONT)
            assert racing.drain_until(b"\x1b[?1049h", 20)
            # What never changes is drawn too.
            for sign in (b"MySQL", b"Durable Redis", b"quit"):
                assert racing.drain_until(sign, 20), sign
        # Without raw mode, a key would wait for the end of a line.
        racing.press("q")
        assert racing.result(30)[0] == 0


def test_a_terminal_that_vanishes_after_a_stop_ends_telemon() -> None:
    with OnPty(*ARGUMENTS, size=SIZE) as racing:
        assert racing.drain_until(b"racing", 40)
        os.kill(racing.process.pid, signal.SIGSTOP)
        awaits(racing.process.pid, "T")
        os.kill(racing.process.pid, signal.SIGCONT)
        assert racing.drain_until(b"\x1b[?1049h", 20)
        racing.hang_up()
        code, told = racing.result(20)
        assert code == 0
        assert '"code": 129' in told


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGTTOU])
def test_a_race_without_a_screen_goes_on(number: signal.Signals) -> None:
    code = (
        "import time; from tui.cli.signals import StopSignals\n"
        "with StopSignals().listening():\n"
        "    print('listening', flush=True); time.sleep(1); print('over', flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stdout.readline() == "listening\n"
            process.send_signal(number)
            assert process.wait(20) == 0
        finally:
            process.kill()
        assert process.stdout.read() == "over\n"
        assert ("does not suspend" in process.stderr.read()) == (number == signal.SIGTSTP)
