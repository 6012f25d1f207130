"""The rooms: which packages exist, how large they may be, and one meaning per class name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

ROOMS = {
    "engines": {
        *("model", "metrics", "wire", "workload", "endpoints", "config", "ipc", "driver"),
        *("backends", "sandbox", "lanes", "provisioning", "results", "process", "race", "doctor"),
    },
    "tui": {
        *("view", "draw", "report", "actions", "widgets", "screens", "styles", "terminal"),
        *("app", "cli"),
    },
}
"""The packages of both halves. A room is added here, in pyproject.toml's layers and in docs/architecture.md."""

ROOT_MODULES = {
    "engines": {"errors", "text", "source", "paths", "pipeline"},
    "tui": {"messages"},
}

MODULES_AT_MOST = 13
"""A larger room hides what it holds: split it by what newcomers look for."""


def packages() -> Iterator[Path]:
    """Yield the directories of all packages below `engines` and `tui`."""
    for half in ROOMS:
        yield from (path.parent for path in sorted((ROOT / half).rglob("__init__.py")))


def modules(directory: Path) -> list[str]:
    """Return the names of the modules that lie in `directory` itself."""
    return [path.stem for path in sorted(directory.glob("*.py")) if path.stem != "__init__"]


@pytest.mark.parametrize("half", ROOMS)
def test_a_half_holds_its_rooms_and_root_modules_only(half: str) -> None:
    directory = ROOT / half
    rooms = {path.parent.name for path in directory.glob("*/*.py")}
    assert rooms == ROOMS[half]
    assert set(modules(directory)) <= ROOT_MODULES[half]


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for half in ROOMS for path in (ROOT / half).rglob("*.py")}
    assert folders == set(packages())


def test_no_room_has_too_many_modules() -> None:
    large = {str(path.relative_to(ROOT)): len(modules(path)) for path in packages()}
    assert {room: count for room, count in large.items() if count > MODULES_AT_MOST} == {}


def test_importing_a_package_imports_nothing() -> None:
    # The version is the one thing that a package holds: importing a module runs every __init__ above it.
    for package in packages():
        tree = ast.parse((package / "__init__.py").read_text())
        held = [ast.unparse(node) for node in tree.body]
        if package == ROOT / "engines":
            assert len(held) == 1
            assert held[0].startswith("__version__ = ")
        else:
            assert held == [], package


@pytest.mark.parametrize("half", ROOMS)
def test_no_class_name_has_two_meanings(half: str) -> None:
    defined: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / half).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                # Two definitions in one file are one class for two platforms.
                defined[node.name].add(str(path.relative_to(ROOT)))
    assert {name: sorted(files) for name, files in defined.items() if len(files) > 1} == {}


def test_unit_tests_mirror_the_rooms() -> None:
    folders = {path.parent.name for path in (ROOT / "tests" / "unit").glob("*/*.py")}
    # `docs` and `house` test the documents and the structure.
    assert folders - {"docs", "house"} <= ROOMS["engines"] | ROOMS["tui"]
