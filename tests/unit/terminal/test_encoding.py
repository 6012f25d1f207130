"""Which encoding a terminal is taken to have."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.pty import ROOT
from tui.terminal.encoding import terminal_encoding


@pytest.mark.parametrize(
    ("environ", "encoding"),
    [
        ({}, "ascii"),
        ({"LANG": ""}, "ascii"),
        ({"LANG": "C"}, "ascii"),
        ({"LANG": "POSIX"}, "ascii"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, "ascii"),
        ({"LANG": "en_US.UTF-8", "LC_CTYPE": "POSIX"}, "ascii"),
        ({"LC_CTYPE": "C.UTF-8"}, "UTF-8"),
        ({"LC_ALL": "", "LANG": "de_DE.utf8"}, "utf8"),
        ({"LANG": "de_DE.ISO-8859-15@euro"}, "ISO-8859-15"),
        ({"LC_CTYPE": "UTF-8"}, "utf-8"),
    ],
    ids=str,
)
def test_the_locale_decides(environ: dict[str, str], encoding: str) -> None:
    assert terminal_encoding(environ, "utf-8") == encoding


@pytest.mark.skipif(sys.platform != "linux", reason="the first environment is read from /proc")
@pytest.mark.parametrize("utf8_mode", ["0", "1", None])
@pytest.mark.parametrize(
    "locale", [{}, {"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LC_CTYPE": "C"}], ids=str
)
def test_what_python_changes_for_itself_does_not_count(
    locale: dict[str, str], utf8_mode: str | None
) -> None:
    """In these locales Python writes UTF-8 unless told otherwise, and sets LC_CTYPE for itself."""
    environ = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("LC_", "LANG", "PYTHONUTF8", "PYTHONCOERCE"))
    }  # fmt: skip
    if utf8_mode is not None:
        environ["PYTHONUTF8"] = utf8_mode
    code = (
        "import os, sys; from tui.terminal.capabilities import Terminal; "
        "from tui.terminal.encoding import initial_environment, terminal_encoding; "
        "encoding = terminal_encoding(initial_environment(os.environ), sys.stderr.encoding); "
        "print(Terminal.detect({'TERM': 'xterm'}, encoding).glyphs)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environ, **locale}, cwd=ROOT,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "ascii"
