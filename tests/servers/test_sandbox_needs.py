"""What a sandbox needs from the machine, its programs and its ports, and what it says when it has them not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.model.lanes import LANE_OF
from engines.sandbox import binaries, mariadb, ports
from engines.sandbox.sandbox import MissingBinary, PortInUse, Sandbox
from engines.sandbox.spec import SandboxSpec
from engines.sandbox.supervisor import Supervisor
from tests.support.leftovers import assert_gone
from tests.support.small_file_system import in_small_file_system


@pytest.fixture
def taken() -> Iterator[int]:
    """A loopback port on which a stranger listens, at a distance from the first port of a free run."""
    with socket.socket() as foreign:
        base = ports.choose(LANE_OF, None)["mysql"]
        foreign.bind((ports.HOST, base + 3))
        foreign.listen()
        yield base + 3


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
    monkeypatch.setattr(binaries, "SEARCH_DIRECTORIES", ())
    monkeypatch.setattr(binaries, "OS_RELEASE", release(tmp_path, 'ID=debian\nVERSION_ID="12"'))
    with pytest.raises(MissingBinary) as missing:
        Sandbox(lanes, directory=tmp_path).start()
    said = str(missing.value)
    assert "\n" not in said
    assert [name for name in ("mariadbd", "redis-server") if name in said] == programs
    packages = {
        "mariadbd": "mariadb-server-core mariadb-client-core",
        "redis-server": "redis-tools",
    }
    wanted = " ".join(packages[name] for name in programs)
    assert said.endswith(f"sudo apt-get install --no-install-recommends {wanted}")


def test_a_mariadb_whose_installer_would_stop_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Debian ships a program that the installer calls in a package of its own, which the server does not ask for."""
    found = binaries.find_mysql()
    assert found is not None
    assert found.installer is not None
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in (found.server, found.installer):
        (programs / program.name).symlink_to(program)
    monkeypatch.setattr(binaries, "SEARCH_DIRECTORIES", ())
    monkeypatch.setattr(binaries, "INSTALLER_NEEDS", "no_print_defaults")
    monkeypatch.setenv("PATH", str(programs))
    assert binaries.find_mysql() is None
    with pytest.raises(MissingBinary, match="mariadb-install-db and no_print_defaults"):
        binaries.find(["mysql"])


def release(directory: Path, text: str) -> Path:
    path = directory / "os-release"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (
            "ID=ubuntu\nID_LIKE=debian",
            "apt-get install --no-install-recommends mariadb-server-core mariadb-client-core",
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
    base = ports.choose(LANE_OF, None)["mysql"]
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
        ports.choose(LANE_OF, base)


def test_chosen_ports_stay_below_those_that_the_kernel_gives_away() -> None:
    for _ in range(50):
        chosen = ports.choose(LANE_OF, None)
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
    serving = asyncio.create_task(Supervisor(theirs).run())
    spec = SandboxSpec(("cached",), tmp_path, None, os.getppid(), binaries.find(["cached"]))
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    writer.write(json.dumps(spec.message()).encode() + b"\n")
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
    await asyncio.wait_for(serving, 5)
    assert_gone(tmp_path, [])


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


START = """
import sys
from pathlib import Path
from engines.sandbox.sandbox import Sandbox, SandboxError
lane, directory, room_bytes = sys.argv[1:]
try:
    with Sandbox([lane], directory=Path(directory), room_bytes=int(room_bytes) if room_bytes else None):
        pass
except SandboxError as error:
    print(error)
"""
"""Program that starts a sandbox and says what it is told then."""


def refused_in(directory: Path, size: str, lane: str, room_bytes: str = "") -> str:
    """What the start of a sandbox says in a file system of `size`."""
    command = [sys.executable, "-c", START, lane, str(directory), room_bytes]
    done = subprocess.run(
        in_small_file_system(directory, size, command),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return line


@pytest.mark.parametrize(("lane", "needed"), [("mysql", "268"), ("durable", "201")])
def test_too_small_a_disk_is_refused_before_the_start(
    tmp_path: Path, lane: str, needed: str
) -> None:
    said = refused_in(tmp_path, "100m", lane)
    assert said == (
        f"{tmp_path} has 105 MB free, and the private servers need {needed} MB; make room there, "
        "set sandbox.directory to another directory, or race fewer lanes (--lanes)"
    )


@pytest.mark.parametrize(("lane", "size"), [("mysql", "24m"), ("mysql", "60m"), ("durable", "64k")])
def test_a_disk_that_is_full_during_the_start_is_the_cause_that_is_named(
    tmp_path: Path, lane: str, size: str
) -> None:
    """The installer, the server itself, and a file of telemon's: others may fill a disk that had room."""
    said = refused_in(tmp_path, size, lane, "0")
    assert "no space was left on its disk" in said or "No space left on device" in said, said
    assert "None" not in said
    assert not re.search(r"aborting", said, re.IGNORECASE)
    assert f"make room in {tmp_path}" in said or "make room there" in said
