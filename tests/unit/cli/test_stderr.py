"""What is said on stderr, by one function for every command."""

from __future__ import annotations

import ast
import os
import pty
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from engines.endpoints.redaction import MASK, register
from tui.cli import stderr
from tui.cli.stderr import log_line

ROOT = Path(__file__).parents[3]

THE_QUESTION = ("prepare.py", "_ask_user")
"""The one other place that writes to stderr: it asks, and stays on its line."""


def test_a_line_is_one_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    register("correct-horse-battery")
    log_line("lane mysql: \x1b[2J correct-horse-battery\nsecond")
    assert capsys.readouterr() == ("", f"telemon: lane mysql: \\x1b[2J {MASK}\\nsecond\n")


class Broken:
    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise ValueError("I/O operation on closed file")


def test_a_stderr_that_cannot_be_written_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", Broken())
    log_line("anything")
    monkeypatch.setattr(sys, "stderr", None)
    log_line("anything")
    assert capsys.readouterr().out == ""


def test_every_command_says_it_by_the_same_function() -> None:
    found = set()
    for path in (ROOT / "tui" / "cli").glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(node, ast.keyword)
                and node.arg == "file"
                and ast.unparse(node.value) == "sys.stderr"
                for node in ast.walk(function)
            ):
                found.add((path.name, function.name))
    assert found == {THE_QUESTION}


TALKATIVE = """
import sys
from tui.cli import stderr
from tui.cli.stderr import log_line
for number in range(3_000):
    log_line(f"{number} " + "x" * 100)
print("the table")
"""


@pytest.mark.parametrize("kind", ["terminal", "pipe"])
def test_a_stderr_that_takes_no_bytes_does_not_keep_the_data(kind: str) -> None:
    reader, writer = pty.openpty() if kind == "terminal" else os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", TALKATIVE],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=writer,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writer)
        os.close(reader)
    assert (done.returncode, done.stdout) == (0, "the table\n")


def test_a_stderr_that_is_read_gets_every_line_in_order() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TALKATIVE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert [int(line.split()[1]) for line in done.stderr.splitlines()] == list(range(3_000))


def test_once_it_takes_bytes_again_it_gets_lines_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stderr, "WAIT_S", 0.1)
    reader, end = os.pipe()
    os.set_blocking(reader, False)
    writer = stderr.PatientWriter()
    for number in range(30):
        writer.write(end, b"%04d" % number + b"x" * 8_187 + b"\n")
    held = b""
    stop_s = time.monotonic() + 10
    while b"again" not in held and time.monotonic() < stop_s:
        writer.write(end, b"again\n")
        with suppress(BlockingIOError):
            held += os.read(reader, 1 << 20)
    os.close(reader)
    os.close(end)
    assert held.startswith(b"0000x")
    assert b"again" in held
    assert b"0029x" not in held  # dropped while nobody read
