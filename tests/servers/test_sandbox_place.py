"""Where sandboxes can be, what they need, and what becomes of those that nobody keeps any more."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engines.sandbox import binaries, mariadb, place, ports, remains
from engines.sandbox.keeper import Keeper
from engines.sandbox.order import Order
from engines.sandbox.sandbox import MissingBinary, PortInUse, Sandbox, SandboxError
from tests.servers.test_sandbox import mysql_at, node, signed_in
from tests.servers.test_sandbox_ends import ROOT, end, hold
from tests.servers.traces import assert_gone, inhabitants, living

NOBODY = 65_534


@pytest.fixture
def taken() -> Iterator[int]:
    """A loopback port on which a stranger listens, at a distance from the first port of a free run."""
    with socket.socket() as stranger:
        base = ports.choose(ports.LANE_OF, None)["mysql"]
        stranger.bind((ports.HOST, base + 3))
        stranger.listen()
        yield base + 3


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


def test_the_installer_touches_nothing_of_others(tmp_path: Path) -> None:
    """In the /tmp of all, another MariaDB that starts deletes the installer's temporary tables, once in some dozens of
    times; and told of a user by its own option, the installer changes modes in /usr/lib, once in every time."""
    binary = binaries.find_mysql()
    assert binary is not None
    command = mariadb.install(binary, tmp_path / "mysql")
    given = dict(word.split("=", 1) for word in command if "=" in word)
    assert (tmp_path / given["--datadir"]).resolve() == tmp_path / "mysql"
    # The server takes it from where its data are.
    temporary = (tmp_path / "mysql" / given["--tmpdir"]).resolve()
    assert temporary.parent == tmp_path
    assert temporary != tmp_path / "mysql"
    assert "--user" not in given


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


@pytest.mark.parametrize(
    ("lanes", "programs"),
    [
        (["mysql"], ["mariadbd"]),
        (["durable"], ["redis-server"]),
        (["cached"], ["mariadbd", "redis-server"]),
    ],
)
def test_missing_programs_are_named_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lanes: list[str], programs: list[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "PLACES", ())
    monkeypatch.setattr(binaries, "OS_RELEASE", release(tmp_path, 'ID=debian\nVERSION_ID="12"'))
    with pytest.raises(MissingBinary) as missing:
        Sandbox(lanes, directory=tmp_path).start()
    said = str(missing.value)
    assert "\n" not in said
    assert [name for name in ("mariadbd", "redis-server") if name in said] == programs
    packages = {"mariadbd": "mariadb-server-core", "redis-server": "redis-tools"}
    wanted = " ".join(packages[name] for name in programs)
    assert said.endswith(f"sudo apt-get install --no-install-recommends {wanted}")


def release(directory: Path, text: str) -> Path:
    path = directory / "os-release"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (
            "ID=ubuntu\nID_LIKE=debian",
            "apt-get install --no-install-recommends mariadb-server-core",
        ),
        ("ID=fedora\nVERSION_ID=42", "dnf install mariadb-server valkey"),
        ('ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"', "dnf install mariadb-server redis"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"', "mariadb-server valkey"),
        ('ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"', "mariadb105-server redis6"),
        ("ID=arch", "pacman -S mariadb valkey"),
        ("", "your package manager"),
    ],
)
def test_every_platform_has_its_own_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, command: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(binaries, "OS_RELEASE", release(tmp_path, text))
    assert command in binaries.install_command(["mysql", "redis"])


def test_macos_has_its_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert binaries.install_command(["mysql", "redis"]) == "brew install mariadb redis"


def test_servers_stand_at_the_port_asked_for(tmp_path: Path) -> None:
    base = ports.choose(ports.LANE_OF, None)["mysql"]
    with Sandbox(["cached"], directory=tmp_path, port=base) as servers:
        found = {name: server.port for name, server in servers.servers.items()}
    assert found == {"cached-mysql": base + 1, "cache": base + 2}


@pytest.mark.parametrize("below", [3, 10_000])
def test_a_port_in_use_names_the_key_and_the_port(tmp_path: Path, taken: int, below: int) -> None:
    # Either the first node's port is taken, or that of its bus.
    base = taken - below if below == 3 else taken - below - 3
    with pytest.raises(PortInUse) as refused:
        Sandbox(["durable"], directory=tmp_path, port=base).start()
    said = str(refused.value)
    assert f"sandbox.port = {base}: port {taken}," in said
    assert "durable-1" in said
    assert "\n" not in said
    assert_gone(tmp_path, [])


def test_ports_of_other_lanes_do_not_matter(taken: int) -> None:
    base = taken - 3
    assert ports.choose(["mysql", "cache"], base) == {"mysql": base, "cache": base + 2}


@pytest.mark.parametrize("base", [-5, 65_533, 70_000])
def test_ports_that_there_are_not_are_refused(base: int) -> None:
    with pytest.raises(PortInUse, match=rf"sandbox\.port = {base}: port "):
        ports.choose(ports.LANE_OF, base)


def test_chosen_ports_stay_below_those_that_the_kernel_gives_away() -> None:
    for _ in range(50):
        chosen = ports.choose(ports.LANE_OF, None)
        assert min(chosen.values()) >= 10_000
        assert max(chosen.values()) + 10_000 < 32_768


async def test_a_port_lost_to_a_stranger_meanwhile_is_not_the_end(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly = ports.choose
    asked = []

    def first_a_taken_one(servers: Iterable[str], base: int | None) -> dict[str, int]:
        asked.append(base)
        free = truly(servers, base)
        return {**free, "cache": taken} if len(asked) == 1 else free

    monkeypatch.setattr(ports, "choose", first_a_taken_one)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    keeping = asyncio.create_task(Keeper(theirs).keep())
    order = Order(("cached",), tmp_path, None, os.getppid(), binaries.find(["cached"]))
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    writer.write(json.dumps(order.message()).encode() + b"\n")
    directories: list[str] = []
    ready: dict[str, Any] = {}
    async with asyncio.timeout(20):
        while not ready:
            news = json.loads(await reader.readline())
            assert news["event"] != "failed", news
            directories += [news["path"]] if news["event"] == "directory" else []
            ready = news if news["event"] == "ready" else {}
    assert len(asked) == len(directories) == 2
    assert taken not in [server["port"] for server in ready["servers"]]
    assert list(tmp_path.iterdir()) == [Path(directories[1])]
    writer.close()
    await asyncio.wait_for(keeping, 5)
    assert_gone(tmp_path, [])


def test_a_directory_in_memory_is_said_so() -> None:
    if not Path("/dev/shm").is_dir() or place.file_system(Path("/dev/shm")) != "tmpfs":
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
    assert place.file_system(Path(path)) == asked.stdout.split()[-1]


def test_a_disk_is_said_nothing_of(sandbox: Sandbox) -> None:
    if place.file_system(sandbox.directory) in place.VOLATILE | place.REMOTE:
        pytest.skip("no disk here")
    assert not sandbox.volatile
    assert sandbox.note is None


def test_directories_come_in_the_order_promised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked, temporary, cache = tmp_path / "asked", tmp_path / "temporary", tmp_path / "cache"
    for path in (asked, temporary, cache):
        path.mkdir()
    monkeypatch.setattr(place, "file_system", lambda _: "ext4")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    assert place.base(asked) == asked
    assert place.base(None) == temporary
    monkeypatch.delenv("TMPDIR")
    assert place.base(None) == cache
    # What nobody asked for is left out when it is no disk of this machine.
    for kind in ("tmpfs", "nfs4"):
        monkeypatch.setattr(
            place, "file_system", lambda path, kind=kind: kind if path == cache else "ext4"
        )
        assert place.base(None) == Path("/var/tmp")
    monkeypatch.setattr(place, "file_system", lambda _: "tmpfs")
    assert place.base(None) == cache


def test_a_directory_that_cannot_be_used_names_its_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(SandboxError, match=rf"^sandbox\.directory = {absent}: "):
        Sandbox(["mysql"], directory=absent).start()
    monkeypatch.setenv("TMPDIR", str(absent))
    with pytest.raises(SandboxError, match=rf"^TMPDIR = {absent}: "):
        Sandbox(["mysql"]).start()


def test_the_next_start_sweeps_up_after_a_double_murder(tmp_path: Path) -> None:
    base = tmp_path / ("deep" * 20)
    base.mkdir()
    holder = hold(base)
    left = next(base.iterdir())
    assert not holder.sockets.is_relative_to(base)
    # Stopped first, or it would clean up when it sees its keeper die.
    holder.process.send_signal(signal.SIGSTOP)
    holder.kept[1].kill()
    holder.process.kill()
    end(holder)
    psutil.wait_procs(holder.kept, 2)
    assert living(holder.kept) == []
    assert left.exists()
    assert holder.sockets.exists()
    said: list[str] = []
    with Sandbox(["mysql"], directory=base, on_progress=said.append) as servers:
        assert list(base.iterdir()) == [servers.directory]
        assert not holder.sockets.exists()
        assert any(str(left) in line for line in said)
        # The living are let be.
        assert remains.sweep([base]) == []
        with signed_in(mysql_at(servers, "mysql")) as connection:
            connection.ping()
    assert_gone(base, [])


def test_a_sweep_kills_servers_that_survived_and_nobody_else(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    made = place.make(tmp_path)
    data = made.root / "cache"
    data.mkdir()
    program = made.root / place.PROGRAMS / "redis-server"
    program.symlink_to(sleep)
    os.close(made.lock)
    other = shutil.copy(sleep, tmp_path / "other")
    server = subprocess.Popen([program, "60"], cwd=data)
    # The same program elsewhere, and another in the same place.
    elsewhere = subprocess.Popen([sleep, "60"], cwd=tmp_path)
    visitor = subprocess.Popen([other, "60"], cwd=data)
    try:
        time.sleep(0.1)
        assert list(remains.inhabitants(made.root)) == [server.pid]
        assert remains.sweep([tmp_path]) == [made.root]
        assert server.wait(2) == -signal.SIGKILL
        assert (elsewhere.poll(), visitor.poll()) == (None, None)
    finally:
        for process in (server, elsewhere, visitor):
            process.kill()
            process.wait()


def test_a_sweep_leaves_alone_what_may_be_somebodys(tmp_path: Path) -> None:
    held = place.make(tmp_path)
    young = Path(tempfile.mkdtemp(prefix=place.PREFIX, dir=tmp_path))
    old = Path(tempfile.mkdtemp(prefix=place.PREFIX, dir=tmp_path))
    os.utime(old, (time.time() - 3_600, time.time() - 3_600))
    target = tmp_path / "target"
    target.mkdir()
    linked = tmp_path / f"{place.PREFIX}linked"
    linked.symlink_to(target)
    foreign = tmp_path / "others-sandbox"
    foreign.mkdir()
    assert remains.sweep([tmp_path, tmp_path / "absent"]) == [old]
    assert set(tmp_path.iterdir()) == {held.root, young, target, linked, foreign}
    os.close(held.lock)
    assert remains.sweep([tmp_path]) == [held.root]
    assert inhabitants(tmp_path) == []
