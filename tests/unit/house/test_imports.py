"""What a process loads when it starts: the import contracts cannot see imports that are made while it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def loaded(*modules: str) -> set[str]:
    """Return the names of the top-level modules in a fresh process that imports `modules`."""
    code = f"import {', '.join(modules)}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(ran.stdout.split())


def submodules(package: str) -> list[str]:
    """Return the dotted names of a package's modules."""
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py"))
        if path.stem != "__init__"
    ]


def test_an_engine_process_loads_hiredis_and_no_other_package() -> None:
    found = loaded("engines.process.__main__")
    assert "hiredis" in found
    assert found & {"psutil", "textual", "rich", "redis", "pymysql", "tui", "botocore"} == set()


@pytest.mark.parametrize("room", ["tui.view", "tui.draw", "tui.report"])
def test_views_texts_and_reports_load_no_textual(room: str) -> None:
    assert "textual" not in loaded(*submodules(room))


def test_engines_load_nothing_of_the_presentation() -> None:
    # The entry points start a process each when they are run, not when they are imported.
    found = loaded(*submodules("engines"))
    assert found & {"tui", "textual", "rich"} == set()
