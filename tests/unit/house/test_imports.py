"""What an import loads at run time. The import contracts see only the import statements of this project's files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PRESENTATION = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for room in ("view", "draw", "report")
    for path in sorted((ROOT / "tui" / room).glob("[!_]*.py"))
]


def packages_loaded_by(*modules: str) -> set[str]:
    """Return the top-level names that a new interpreter has loaded after it imported `modules`."""
    code = f"import sys\nimport {', '.join(modules)}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", ["engines.process.__main__", "engines.process.engine"])
def test_an_engine_process_loads_hiredis_and_no_other_third_party_package(module: str) -> None:
    loaded = packages_loaded_by(module)
    assert loaded - set(sys.stdlib_module_names) - {"__main__"} == {"engines", "hiredis"}


def test_views_texts_and_reports_load_no_textual() -> None:
    assert len(PRESENTATION) > 20
    assert "textual" not in packages_loaded_by(*PRESENTATION)


def test_the_null_server_loads_nothing_of_telemon() -> None:
    # It runs as a file with `-S`, so that its start and its memory do not disturb the measurement.
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "import runpy, sys; runpy.run_path(sys.argv[1], run_name='null_server'); print(*sys.modules)",
            str(ROOT / "engines" / "race" / "null_server.py"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"engines", "tui"} & {name.partition(".")[0] for name in done.stdout.split()}
