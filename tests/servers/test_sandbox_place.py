"""Where sandboxes can be, side by side, and for whom."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest

from engines.sandbox import directory as directories
from engines.sandbox import ports
from engines.sandbox.sandbox import Sandbox, SandboxError
from tests.servers.test_sandbox import mysql_at, node, signed_in
from tests.servers.test_sandbox_ends import ROOT
from tests.support.leftovers import assert_gone

NOBODY = 65_534


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    pair = [Sandbox(["cached"], directory=tmp_path) for _ in range(2)]
    starts = [threading.Thread(target=servers.start) for servers in pair]
    try:
        for start in starts:
            start.start()
        for start in starts:
            start.join()
        first, second = pair
        assert first.directory != second.directory
        used = {server.port for servers in pair for server in servers.servers.values()}
        assert len(used) == 4
        node(first, "cache").set("whose", "first")
        assert node(second, "cache").get("whose") is None
        first.close()
        assert not first.directory.exists()
        assert node(second, "cache").ping()
        with signed_in(mysql_at(second, "cached")) as connection:
            connection.ping()
    finally:
        for servers in pair:
            servers.close()
    assert_gone(tmp_path, [])


def test_a_deep_and_odd_tmpdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("deep " * 20) / 'so "called" # 100 %' / ("n" * 60)
    deep.mkdir(parents=True)
    assert len(str(deep)) > 150
    monkeypatch.setenv("TMPDIR", str(deep))
    with Sandbox(["cached", "durable"]) as servers:
        assert servers.directory.parent == deep
        socket_path = servers.admin_mysql("cached-mysql")
        assert len(os.fsencode(socket_path)) <= 107
        assert socket_path.exists()
        aside = socket_path.parent
        assert aside.stat().st_mode & 0o777 == 0o700
        with signed_in(mysql_at(servers, "cached")) as connection:
            connection.ping()
        servers.kill("durable-1")
        servers.start_server("durable-1")
    assert not aside.exists()
    assert_gone(deep, [])


def python_for_nobody() -> str | None:
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            asked = subprocess.run(
                [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                timeout=10,
                check=False,
            )
        except OSError:
            continue
        if asked.returncode == 0:
            return python
    return None


AS_NOBODY = """
import json, os, sys
from engines.sandbox.sandbox import Sandbox
with Sandbox(["cached", "durable"]) as servers:
    at = servers.endpoints["cached"].mysql
    pids = [server.pid for server in servers.servers.values()]
    print(json.dumps([os.geteuid(), str(servers.directory), at.port, at.password, pids]), flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="every test runs as an ordinary user already")
def test_an_ordinary_user_has_one_too() -> None:
    python = python_for_nobody()
    if python is None:
        pytest.skip("no Python of 3.11 or later here that another user may run")
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        shutil.copytree(
            ROOT / "engines", home / "engines", ignore=shutil.ignore_patterns("__pycache__")
        )
        base = home / "base"
        base.mkdir()
        for path in (home, base):
            os.chown(path, NOBODY, NOBODY)
        process = subprocess.Popen(
            [python, "-c", AS_NOBODY],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd=home,
            # As bare as a service's: no HOME, and no /usr/sbin, where Debian has mariadbd.
            env={"PATH": "/usr/bin:/bin", "TMPDIR": str(base)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(process.communicate(timeout=10)[1])
        uid, directory, port, password, pids = json.loads(line)
        kept = [psutil.Process(pid) for pid in pids]
        assert uid == NOBODY
        assert Path(directory).parent == base
        assert {server.uids().effective for server in kept} == {NOBODY}
        with socket.create_connection((ports.HOST, port)) as connection:
            assert b"MariaDB" in connection.recv(200)
        assert password
        _, errors = process.communicate(input="", timeout=10)
        assert (process.returncode, errors) == (0, "")
        assert_gone(base, kept)
    finally:
        shutil.rmtree(home)


def test_a_directory_in_memory_is_said_so() -> None:
    if not Path("/dev/shm").is_dir() or directories.file_system(Path("/dev/shm")) != "tmpfs":
        pytest.skip("no tmpfs at /dev/shm here")
    base = Path(tempfile.mkdtemp(dir="/dev/shm"))
    said: list[str] = []
    try:
        with Sandbox(["cached"], directory=base, on_progress=said.append) as servers:
            assert (servers.file_system, servers.volatile) == ("tmpfs", True)
            assert servers.note is not None
            assert "fsync is free" in servers.note
            assert servers.note in said
            servers.kill("cached-mysql")
            servers.start_server("cached-mysql")
        assert_gone(base, [])
    finally:
        shutil.rmtree(base)


@pytest.mark.parametrize("path", ["/", "/proc/self", "/dev/shm", "/var/tmp"])
def test_file_systems_are_those_that_df_sees(path: str) -> None:
    asked = subprocess.run(
        ["df", "--output=fstype", path], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        pytest.skip(f"df says nothing of {path} here")
    assert directories.file_system(Path(path)) == asked.stdout.split()[-1]


def test_a_disk_is_said_nothing_of(sandbox: Sandbox) -> None:
    if directories.file_system(sandbox.directory) in directories.VOLATILE | directories.REMOTE:
        pytest.skip("no disk here")
    assert not sandbox.volatile
    assert sandbox.note is None


def test_directories_come_in_the_order_promised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked, temporary, cache = tmp_path / "asked", tmp_path / "temporary", tmp_path / "cache"
    for path in (asked, temporary, cache):
        path.mkdir()
    monkeypatch.setattr(directories, "file_system", lambda _: "ext4")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    assert directories.base(asked) == asked
    assert directories.base(None) == temporary
    monkeypatch.delenv("TMPDIR")
    assert directories.base(None) == cache
    # What nobody asked for is left out when it is no disk of this machine.
    for kind in ("tmpfs", "nfs4"):
        monkeypatch.setattr(
            directories, "file_system", lambda path, kind=kind: kind if path == cache else "ext4"
        )
        assert directories.base(None) == Path("/var/tmp")
    monkeypatch.setattr(directories, "file_system", lambda _: "tmpfs")
    assert directories.base(None) == cache


def test_a_directory_that_cannot_be_used_names_its_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(SandboxError, match=rf"^sandbox\.directory = {absent}: "):
        Sandbox(["mysql"], directory=absent).start()
    monkeypatch.setenv("TMPDIR", str(absent))
    with pytest.raises(SandboxError, match=rf"^TMPDIR = {absent}: "):
        Sandbox(["mysql"]).start()


@pytest.mark.parametrize(
    "name",
    [b"not \xff\xfe utf-8", b"two\nlines", b"\\x41 \"$HOME\" 'b'"],
    ids=["bytes", "lines", "signs"],
)
def test_a_tmpdir_may_have_any_name(tmp_path: Path, name: bytes) -> None:
    base = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    base.mkdir()
    with Sandbox(["cached", "durable"], directory=base) as servers:
        assert servers.directory.parent == base
        assert node(servers, "cache").ping()
        # A cluster's nodes write what they must not forget into their directory.
        assert list((servers.directory / "durable-1").glob("nodes*.conf"))
        with signed_in(mysql_at(servers, "cached")) as connection:
            connection.ping()
    assert_gone(base, [])


def test_a_directory_that_cannot_be_looked_at_is_passed_over_or_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unlike one that is not there, it is an OSError to ask for it: no permission on the way, or a name too long."""
    no_name = tmp_path / ("n" * 300)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(no_name))
    assert directories.base(None) in (Path("/var/tmp"), Path("/tmp"))
    monkeypatch.setenv("TMPDIR", str(no_name))
    with pytest.raises(
        SandboxError, match=r"^TMPDIR = .*: it cannot be reached: File name too long; set another"
    ):
        directories.base(None)
    with pytest.raises(SandboxError, match=r"^sandbox\.directory = .*: it cannot be reached: "):
        directories.base(Path("nul\0"))
