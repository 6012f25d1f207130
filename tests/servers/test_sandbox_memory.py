"""Private servers on a machine, or in a control group, with little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.config.memory_need import SIZES_BYTES, needed_memory_bytes
from engines.model.caveats import SmallServers
from engines.sandbox import sandbox as sandbox_module
from engines.sandbox.sandbox import Sandbox, SandboxError
from tests.servers.test_sandbox import mysql_at, node, signed_in
from tests.support.leftovers import assert_gone

LANES = ("mysql", "cached")
ROOT = Path(__file__).parents[2]

RUN = """
import sys
from engines.sandbox import sandbox
from tui.cli.main import run
free_bytes = int(sys.argv.pop(1))
sandbox.free_memory_bytes = lambda: free_bytes
sys.exit(run())
"""
"""Program that is telemon on a machine with so many bytes of free memory as its first argument says."""


def with_free(monkeypatch: pytest.MonkeyPatch, free_bytes: int) -> None:
    monkeypatch.setattr(sandbox_module, "free_memory_bytes", lambda: free_bytes)


def test_servers_are_made_to_fit_and_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size_bytes = SIZES_BYTES[-1]
    with_free(monkeypatch, needed_memory_bytes(LANES, size_bytes))
    said: list[str] = []
    with Sandbox(LANES, directory=tmp_path, on_progress=said.append) as servers:
        assert servers.size_bytes == size_bytes
        for lane in LANES:
            with signed_in(mysql_at(servers, lane)) as connection, connection.cursor() as cursor:
                cursor.execute("SHOW VARIABLES LIKE 'innodb_buffer_pool_size'")
                assert cursor.fetchall() == (("innodb_buffer_pool_size", str(size_bytes)),)
        cache = node(servers, "cache")
        assert cache.config_get("maxmemory")["maxmemory"] == str(size_bytes)
    mib = size_bytes >> 20
    assert f"little memory is free: buffer pools and cache are {mib} MiB each, not 256" in said


@pytest.mark.parametrize(
    ("lanes", "needed", "fewer"),
    [(("mysql", "cached", "durable"), "906", ", or race fewer lanes (--lanes)"), (("durable",), "268", "")],
)  # fmt: skip
def test_too_little_memory_is_refused_before_anything_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lanes: tuple[str, ...],
    needed: str,
    fewer: str,
) -> None:
    with_free(monkeypatch, 100_000_000)
    said: list[str] = []
    with pytest.raises(SandboxError) as refused:
        Sandbox(lanes, directory=tmp_path, on_progress=said.append).start()
    line = str(refused.value)
    assert line.startswith(
        "100 MB of memory are free for telemon, and the race with its private servers needs "
        f"{needed} MB; "
    )
    assert line.endswith(fewer)
    assert ("--lanes" in line) == bool(fewer)
    assert said == []
    assert_gone(tmp_path, [])


def telemon(free_bytes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, str(free_bytes), "run", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_engine_processes_need_memory_too() -> None:
    """As many as the settings ask for, which a default does not know of."""
    enough = needed_memory_bytes(["durable"], SIZES_BYTES[0])
    done = telemon(enough, "--lanes=durable", "--duration=1s", "--processes=4")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line == (
        "telemon: 268 MB of memory are free for telemon, and the race with its private servers needs 470 MB; "
        "end other programs, or raise the memory limit of the control group"
    )


def test_a_race_on_small_servers_says_so() -> None:
    free_bytes = needed_memory_bytes(["mysql"], 64 << 20)
    done = telemon(free_bytes, "--lanes=mysql", "--duration=1s", "--warmup=0s")
    assert done.returncode == 0, done.stderr
    caveat = SmallServers(64 << 20, 256 << 20)
    assert f"have {caveat.size_bytes >> 20} MiB each, not 256" in " ".join(done.stdout.split())
