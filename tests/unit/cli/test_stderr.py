"""What is said on stderr, by one function for every command."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from engines.endpoints.redaction import MASK, register
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
    assert found == {("stderr.py", "log_line"), THE_QUESTION}
