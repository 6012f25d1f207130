"""Which Python .venv is made with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "interpreter.sh"


def _python(path: Path, *, fit: bool, optimized: bool) -> Path:
    """Something that answers the script's two questions as an interpreter of that kind would."""
    path.parent.mkdir()
    path.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f"    *CONFIG_ARGS*) exit {int(not optimized)} ;;\n"
        f"    *version_info*) exit {int(not fit)} ;;\n"
        "esac\n"
        "exit 9\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("own", "system", "chosen"),
    [
        ((True, True), (True, True), "own"),
        ((True, False), (True, False), "system"),
        ((True, False), (False, False), "own"),
        ((False, True), (True, False), "system"),
        ((False, False), (False, False), "own"),
    ],
)
def test_the_systems_python_is_taken_where_ones_own_is_slow_or_will_not_do(
    tmp_path: Path, own: tuple[bool, bool], system: tuple[bool, bool], chosen: str
) -> None:
    pythons = {
        name: _python(tmp_path / name / "python3", fit=fit, optimized=optimized)
        for name, (fit, optimized) in (("own", own), ("system", system))
    }
    path = f"{tmp_path / 'own'}:{os.environ['PATH']}"
    run = ["sh", str(SCRIPT), str(pythons["system"])]
    said = subprocess.run(
        run, env={"PATH": path}, capture_output=True, text=True, check=True, timeout=10
    )
    assert said.stdout == f"{pythons[chosen]}\n"


def test_what_is_chosen_here_is_a_python_that_makes_environments() -> None:
    run = ["sh", str(SCRIPT)]
    said = subprocess.run(run, capture_output=True, text=True, check=True, timeout=10)
    ask = "import sys, ensurepip, venv; print(sys.version_info >= (3, 11))"
    answer = subprocess.run(
        [said.stdout.strip(), "-c", ask], capture_output=True, text=True, check=True, timeout=10
    )
    assert answer.stdout == "True\n"
