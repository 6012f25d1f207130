"""What a child wrote to stderr, wherever that can be kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from engines.host.captured_output import CapturedOutput

KINDS = ("memory", "disk", "pipe")


@pytest.fixture(params=KINDS)
def output(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> CapturedOutput:
    if request.param != "memory":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    if request.param == "pipe":
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere/at/all"])
    return CapturedOutput("it")


def write(output: CapturedOutput, code: str) -> None:
    subprocess.run(
        [sys.executable, "-c", code], stderr=output.fileno(), env={}, check=False, timeout=30
    )


def test_the_end_of_what_a_child_wrote_is_read(output: CapturedOutput) -> None:
    assert output.tail(100) == ""
    write(output, "import sys; sys.stderr.write('first\\nlast words\\n')")
    assert output.tail(11) == "last words\n"
    output.close()
    output.close()
    assert output.tail(11) == ""


def test_a_child_that_writes_much_is_not_blocked(output: CapturedOutput) -> None:
    write(output, "import os\nfor _ in range(64): os.write(2, b'x' * 16_384)")
    assert output.tail(5) == "xxxxx"
    output.close()


def test_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    output = CapturedOutput("it")
    write(output, "import sys; sys.stderr.write('x')")
    assert list(tmp_path.iterdir()) == []
    output.close()
