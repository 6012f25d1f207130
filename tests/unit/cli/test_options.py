"""Options, their values and the exit codes that the help promises, beside those of version 0.1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

GOLDEN: dict[str, str] = json.loads((ROOT / "tests" / "golden" / "options.json").read_text())

CODE = "import sys; from tui.cli.main import run; sys.exit(run())"


def shown_help(command: str) -> str:
    """Return what `telemon COMMAND --help` prints on 200 columns."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *command.split()[1:], "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "PYTHON_COLORS": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("command", GOLDEN)
def test_each_command_takes_the_options_that_it_took(command: str) -> None:
    usage = shown_help(command).partition("\n\n")[0]
    assert " ".join(usage.split()) == GOLDEN[command]


def test_the_exit_codes_are_those_of_before() -> None:
    text = " ".join(shown_help("telemon").split())
    assert text.endswith(
        "exit codes: 0 done; 1 the race could not be run, a lane never answered or the doctor found a fault;"
        " 2 wrong usage or configuration; 130 interrupted (143 by SIGTERM, 129 by SIGHUP)"
    )
