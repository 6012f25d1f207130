"""A terminal on stderr that takes no bytes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest

from tests.support.pty import ROOT


@pytest.mark.parametrize("function", ["tui.cli.run.log_line", "tui.cli.main.report_error"])
def test_a_terminal_that_takes_nothing_keeps_no_result_from_a_file(function: str) -> None:
    module, _, name = function.rpartition(".")
    code = (
        f"import sys; from {module} import {name} as tell\n"
        "for _ in range(3000): tell('x' * 200)\n"
        "print('the result', flush=True)"
    )
    master, slave = pty.openpty()
    began_s = time.monotonic()
    try:
        # More than a terminal holds, and nobody reads it. The last print is that of the final table.
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=slave, timeout=60, check=True,
        )  # fmt: skip
    finally:
        os.close(master)
        os.close(slave)
    assert done.stdout == b"the result\n"
    assert time.monotonic() - began_s < 30


def test_a_terminal_that_reads_gets_every_line_in_order() -> None:
    code = "from tui.cli.run import log_line\nfor number in range(200): log_line(f'line {number}')"
    master, slave = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=slave) as process:
        os.close(slave)
        seen = b""
        try:
            while data := os.read(master, 65536):
                seen += data
        except OSError:
            pass
        assert process.wait(30) == 0
    os.close(master)
    assert seen.decode().split("\r\n")[:-1] == [f"telemon: line {number}" for number in range(200)]
