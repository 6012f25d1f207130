"""constraints.txt pins everything that an installation needs, whatever version of Python it is for."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[3]
CONSTRAINTS = ROOT / "constraints.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

PYTHONS = ("3.11.0", "3.11.2", "3.11.3", "3.12.0", "3.12.12", "3.13.0", "3.13.9", "3.14.0")
"""Versions of Python that telemon runs on. Some packages are needed below 3.11.3 only: Debian 12 has 3.11.2."""

PLATFORMS = (("linux", "Linux"), ("darwin", "Darwin"))

NEED_NOTHING = {"async-timeout": "5.0.1"}
"""Packages that only some versions of Python need, and that need no other from 3.11 on. Where they are not installed,
nobody else knows that."""


def pins() -> dict[str, str]:
    lines = CONSTRAINTS.read_text(encoding="utf-8").split()
    named = [line.partition("==") for line in lines]
    assert all(equals for _, equals, _ in named)
    return {canonicalize_name(name): version for name, _, version in named}


def requirements(extras: Iterable[str]) -> list[Requirement]:
    """What the project itself asks for."""
    project = PROJECT["project"]
    asked = [*project["dependencies"]]
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    return [Requirement(line) for line in asked]


def environment(python: str, platform: tuple[str, str] = PLATFORMS[0]) -> dict[str, str]:
    """The values of markers for a version of Python and a platform."""
    version = Version(python)
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": f"{version.major}.{version.minor}",
        "python_full_version": python,
        "implementation_version": python,
        "sys_platform": platform[0],
        "platform_system": platform[1],
        "os_name": "posix",
    }


def needed(
    asked: Iterable[Requirement], markers: Mapping[str, str]
) -> dict[str, list[Requirement]]:
    """By package, all that is asked of it, directly or by another package."""
    found: dict[str, list[Requirement]] = {}
    waiting = [(requirement, "") for requirement in asked]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        marker = requirement.marker
        if marker is not None and not marker.evaluate({**markers, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.setdefault(name, []).append(requirement)
        for wanted in ("", *requirement.extras):
            if (name, wanted) in seen or name in NEED_NOTHING:
                continue
            seen.add((name, wanted))
            waiting += [(Requirement(line), wanted) for line in metadata.requires(name) or ()]
    return found


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda names: names[0])
@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_that_is_needed_is_pinned_to_a_version_that_fits(
    python: str, platform: tuple[str, str]
) -> None:
    pinned = pins()
    found = needed(requirements(("aws", "dev")), environment(python, platform))
    assert sorted(found.keys() - pinned.keys()) == []
    unfit = [
        f"{requirement} is pinned to {pinned[name]}"
        for name, asked in found.items()
        for requirement in asked
        if pinned[name] not in requirement.specifier
    ]
    assert unfit == []


def test_nothing_is_pinned_that_nobody_needs() -> None:
    used: set[str] = set()
    for python in PYTHONS:
        for platform in PLATFORMS:
            used |= needed(requirements(("aws", "dev")), environment(python, platform)).keys()
    assert sorted(pins().keys() - used) == []


def test_the_pins_that_are_said_to_need_nothing_are_those() -> None:
    pinned = pins()
    for name, version in NEED_NOTHING.items():
        assert pinned[name] == version
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"ELSEWHERE := {' '.join(NEED_NOTHING)}\n" in makefile


IMPORT_EVERYTHING = """
import importlib, pkgutil
import engines, tui
count = 0
for package in (engines, tui):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            count += 1
print(count)
"""


@pytest.mark.soak
def test_what_is_pinned_is_enough_to_import_telemon(tmp_path: Path) -> None:
    """In an empty environment, where pip installs the pins of this Python's packages and adds nothing by itself."""
    markers = environment(
        ".".join(map(str, sys.version_info[:3])), (sys.platform, os.uname().sysname)
    )
    pinned = pins()
    wanted = [f"{name}=={pinned[name]}" for name in sorted(needed(requirements(()), markers))]
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", *wanted], check=True, timeout=300, cwd=tmp_path
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ran = subprocess.run(
        [python, "-c", IMPORT_EVERYTHING],
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 150
    subprocess.run([*pip, "check"], check=True, timeout=60, cwd=tmp_path)
