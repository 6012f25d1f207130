"""A wheel built from the tree works in an environment that has never seen the tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = folder.glob("telemon-*.whl")
    return built


def test_everything_that_is_no_test_is_in_it(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in ("engines", "tui")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(name.endswith(".tcss") for name in wanted)
    assert wanted <= packed
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in packed)


def test_it_races_where_nothing_but_its_dependencies_is_installed(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    # By that environment's own interpreter, or the command would run by this one, which knows the tree.
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")),
            *("--disable-pip-version-check", "install", "--quiet", "--no-deps", str(wheel)),
        ],
        check=True,
        timeout=120,
    )
    command = environment / "bin" / "telemon"
    assert command.read_text().startswith(f"#!{environment}")
    # The dependencies as they are here: a path in a .pth file is not searched for .pth files itself, so the tree's
    # own editable install stays out of sight.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = subprocess.run(
        [
            *(str(command), "run", "--format", "json"),
            *("--duration", "1s", "--warmup", "0s", "--lanes", "mysql"),
        ],
        cwd=elsewhere,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert result["lanes"][0]["read"]["rows"] > 0
    where = subprocess.run(
        [str(environment / "bin" / "python"), "-c", "import engines; print(engines.__file__)"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(environment) in where
