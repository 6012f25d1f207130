"""What could not be started leaves nothing open behind."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NoReturn

import pytest

from engines.paths import PACKAGE_ROOT, search_path
from engines.race.null_server import NullServer
from engines.sandbox import cleanup
from engines.sandbox import directory as directories
from engines.sandbox.errors import SandboxError
from engines.sandbox.supervisor_client import SupervisorClient


def no_more_processes(*_: object, **__: object) -> NoReturn:
    raise BlockingIOError(11, "Resource temporarily unavailable")


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def open_null_server() -> None:
    with NullServer():
        pass


def open_supervisor_client() -> None:
    SupervisorClient({}, lambda _: None, lambda: None)


@pytest.mark.parametrize("begin", [open_null_server, open_supervisor_client])
def test_a_process_that_does_not_start_leaves_no_socket(
    monkeypatch: pytest.MonkeyPatch, begin: object
) -> None:
    assert callable(begin)
    monkeypatch.setattr(subprocess, "Popen", no_more_processes)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(BlockingIOError):
            begin()
    assert [str(warning.message) for warning in warned] == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_directory_that_cannot_be_made_leaves_no_lock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_short_one() -> NoReturn:
        raise SandboxError("the path is too long")

    under = tmp_path / ("x" * 100)
    under.mkdir()
    monkeypatch.setattr(directories, "_short_base", no_short_one)
    before = open_descriptors()
    with pytest.raises(SandboxError):
        directories.make(under)
    assert open_descriptors() == before
    assert list(under.iterdir()) == []


def test_a_sweep_leaves_alone_what_it_cannot_look_into(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without /proc and without ps nobody knows whether a server lives in it."""
    held = directories.make(tmp_path)
    held.close()
    monkeypatch.setattr(cleanup, "PROC", tmp_path / "absent")
    monkeypatch.setenv("PATH", str(tmp_path))
    sweep = cleanup.remove_orphans([tmp_path])
    assert sweep.removed == []
    assert [left.path for left in sweep.left_alone] == [held.root]
    assert held.root.exists()
    monkeypatch.undo()
    assert cleanup.remove_orphans([tmp_path]).removed == [held.root]


def test_a_supervisor_looks_for_modules_where_this_process_does_but_not_where_the_user_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "/a", "here", "/b", "/a"])
    assert search_path() == os.pathsep.join(["/a", str(tmp_path / "here"), "/b", str(PACKAGE_ROOT)])
