"""Where modules are: the rooms of both halves, their size, and what importing a package costs."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

ROOMS = {
    "engines": {
        *("backends", "config", "consistency", "doctor", "driver", "endpoints", "host", "ipc", "lanes", "metrics"),
        *("model", "process", "provisioning", "race", "results", "sandbox", "wire", "workload"),
    },
    "tui": {
        *("actions", "app", "cli", "draw", "report", "screens", "styles", "terminal", "view", "widgets"),
    },
}  # fmt: skip

ROOT_MODULES = {
    "engines": {"__init__", "child_environment", "errors", "paths", "pipeline", "source", "text"},
    "tui": {"__init__", "__main__", "messages"},
}

LARGEST_ROOM = 13
"""Modules of one folder. A room that grows beyond this is two questions and becomes two rooms."""


def packages() -> list[Path]:
    """Return every folder of modules below both halves."""
    return sorted(
        path.parent for half in ROOMS for path in (ROOT / half).rglob("__init__.py") if path.parent != ROOT / half
    )  # fmt: skip


@pytest.mark.parametrize("half", ROOMS)
def test_a_half_holds_its_rooms_and_a_few_root_modules(half: str) -> None:
    folders = {path.parent.name for path in (ROOT / half).glob("*/__init__.py")}
    assert folders == ROOMS[half]
    assert {path.stem for path in (ROOT / half).glob("*.py")} == ROOT_MODULES[half]


def test_no_module_lies_outside_a_package() -> None:
    for half in ROOMS:
        for path in (ROOT / half).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_a_room_is_small_enough_to_be_looked_over() -> None:
    sizes = {
        path.relative_to(ROOT): len(list(path.glob("*.py"))) - 1
        for path in packages()
    }  # fmt: skip
    assert {room: size for room, size in sizes.items() if size > LARGEST_ROOM} == {}


def test_importing_a_package_imports_nothing() -> None:
    for path in packages():
        assert (path / "__init__.py").read_text() == "", path


SPANS_MODULES = {"inlined_code"}
"""Tests of what several modules of a room hold together: the copies of a call that is written out by hand."""


def modules() -> set[Path]:
    """Return every module of both halves, without its half and its suffix: `metrics/merge`."""
    return {
        path.relative_to(ROOT / half).with_suffix("")
        for half in ROOMS
        for path in (ROOT / half).rglob("*.py")
        if path.stem != "__init__"
    }


def test_a_unit_test_is_named_after_the_module_that_it_tests() -> None:
    """`tests/unit/ROOM/test_MODULE.py`, or `test_MODULE_ASPECT.py`."""
    unit = ROOT / "tests" / "unit"
    known = modules()
    strays = []
    for path in unit.rglob("test_*.py"):
        room, subject = path.parent.relative_to(unit), path.stem.removeprefix("test_")
        if str(room) in ("house", "docs") or subject in SPANS_MODULES:
            continue
        names = [module.name for module in known if module.parent == room]
        if not any(subject == name or subject.startswith(f"{name}_") for name in names):
            strays.append(str(path.relative_to(unit)))
    assert strays == []
