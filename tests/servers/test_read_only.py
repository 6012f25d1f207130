"""A race on servers of one's own where no file can be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engines.sandbox.sandbox import Sandbox
from tests.support.user_servers import CODE, ROOT, OwnServers

READ_ONLY = (
    'for at in / /dev/shm /run /tmp /var/tmp; do mount -o remount,bind,ro "$at" 2>/dev/null; done; '
    'if touch "$0" 2>/dev/null; then exit 77; fi; exec "$@"'
)
"""Script that makes the file systems of its mount namespace read-only and then becomes the command."""


def where_nothing_is_writable(directory: Path, command: list[str]) -> list[str]:
    """The command, in a mount namespace in which it can write no file."""
    unshare = shutil.which("unshare") or "unshare"
    words = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", READ_ONLY]
    words.append(str(directory / "written"))
    try:
        tried = subprocess.run([*words, "true"], check=False, capture_output=True)
    except OSError:
        pytest.skip("needs unshare")
    if tried.returncode:
        pytest.skip("needs a mount namespace that can be made read-only (unshare --user --mount)")
    return [*words, *command]


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_race_on_servers_of_one_s_own_writes_no_file(
    sandbox: Sandbox, tmp_path: Path, command: str
) -> None:
    own = OwnServers.of(sandbox, tmp_path)
    assert own.telemon("prepare", "--yes").code == 0
    argv = ["doctor", "--json"]
    if command == "run":
        argv = ["run", "--duration", "1s", "--warmup", "0", "--format", "json"]
    missing = str(tmp_path / "missing")
    try:
        done = subprocess.run(
            where_nothing_is_writable(
                tmp_path, [sys.executable, "-c", CODE, *argv, "--config", str(own.write())]
            ),
            cwd=ROOT,
            env={
                **os.environ,
                **own.environ,
                "HOME": missing,
                "TMPDIR": missing,
                "XDG_CACHE_HOME": missing,
                "XDG_RUNTIME_DIR": missing,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        own.telemon("clean", "--yes")
    assert done.returncode == 0, done.stderr or done.stdout
    if command == "run":
        lanes = json.loads(done.stdout)["lanes"]
        assert [lane["write"]["rows"] > 0 for lane in lanes] == [True] * 3
