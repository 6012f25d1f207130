"""What becomes of sandboxes that nobody keeps any more, and of what only looks like one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from engines.sandbox import cleanup
from engines.sandbox import directory as directories
from engines.sandbox.directory import LOCK, PREFIX, PROGRAMS, SandboxDirectory
from engines.sandbox.sandbox import Sandbox
from tests.servers.test_sandbox import mysql_at, node, signed_in
from tests.servers.test_sandbox_ends import Holder, end, hold
from tests.servers.test_sandbox_faults import eventually
from tests.support.leftovers import assert_gone, inhabitants, living

LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")

OLD_S = 3_600


def murder(holder: Holder) -> None:
    """Kill a telemon and its supervisor. It is stopped first, or it would clean up when it sees its supervisor die."""
    holder.process.send_signal(signal.SIGSTOP)
    holder.kept[1].kill()
    holder.process.kill()
    end(holder)
    psutil.wait_procs(holder.kept, 2)


def users_directory(under: Path, name: str = "telemon-sandbox-of-mine") -> Path:
    """A user's own directory with the name of a sandbox, made long ago, with a file in it."""
    made = under / name
    (made / "work").mkdir(parents=True)
    (made / "work" / "thesis.txt").write_text("three years")
    os.utime(made, (time.time() - OLD_S, time.time() - OLD_S))
    return made


def is_whole(made: Path) -> bool:
    return (made / "work" / "thesis.txt").read_text() == "three years"


@contextmanager
def orphan(under: Path) -> Iterator[SandboxDirectory]:
    """A sandbox whose supervisor has gone, with a directory of data."""
    made = directories.make(under)
    (made.root / "cache").mkdir()
    made.close()
    yield made


@contextmanager
def running(*command: str | Path, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_next_start_sweeps_up_after_a_double_murder(tmp_path: Path) -> None:
    base = tmp_path / ("deep" * 20)
    base.mkdir()
    mine = users_directory(base)
    holder = hold(base)
    left = next(path for path in base.iterdir() if path != mine)
    assert not holder.sockets.is_relative_to(base)
    murder(holder)
    assert living(holder.kept) == []
    assert left.exists()
    assert holder.sockets.exists()
    said: list[str] = []
    with Sandbox(["mysql"], directory=base, on_progress=said.append) as servers:
        assert set(base.iterdir()) == {servers.directory, mine}
        assert not holder.sockets.exists()
        assert any(str(left) in line for line in said)
        assert any(
            line.startswith(f"left {mine} alone: it has no marker of telemon") for line in said
        )
        # The living are let be.
        sweep = cleanup.remove_orphans([base])
        assert (sweep.removed, [each.path for each in sweep.left_alone]) == ([], [mine])
        with signed_in(mysql_at(servers, "mysql")) as connection:
            connection.ping()
    assert is_whole(mine)
    shutil.rmtree(mine)
    assert_gone(base, [])


@LINUX
def test_a_fork_that_survives_a_double_murder_is_ended_by_the_next_sweep(tmp_path: Path) -> None:
    """A Redis that writes its data in a fork, which no death of its parent's parent ends, and which overwrites the
    environment and the command line that it was given."""
    with Sandbox(["cached"], directory=tmp_path) as servers:
        root = servers.directory
        cache = node(servers, "cache")
        for key in range(64):
            cache.set(f"sandbox:{key}", "1")
        cache.config_set("rdb-key-save-delay", 1_000_000)
        cache.bgsave()
        server = psutil.Process(servers.servers["cache"].pid)
        eventually(server.children)
        (fork,) = server.children()
        marker = servers._marker
        assert marker is not None
        pids = {each.pid for each in servers.servers.values()}
        assert pids | {fork.pid} <= set(cleanup.live_processes(root, marker))
        supervisor = server.parent()
        assert supervisor is not None
        # Kept from cleaning up: the parent believes that it knows no directory.
        servers._directory = None
        supervisor.kill()
        psutil.wait_procs([supervisor, server], 2)
        assert fork.is_running()
        assert cleanup.remove_orphans([tmp_path]).removed == [root]
        psutil.wait_procs([fork], 2)
        assert living([fork]) == []


@LINUX
def test_a_sweep_kills_servers_that_survived_and_nobody_else(tmp_path: Path) -> None:
    """Not even a process that looks the same in all that a process can be made to look like."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    made = directories.make(tmp_path)
    assert made.carried is not None
    data = made.root / "cache"
    data.mkdir()
    program = made.root / PROGRAMS / "redis-server"
    program.symlink_to(sleep)
    token = {"TELEMON_TOKEN": made.marker.token}
    with (
        running(program, "60", cwd=data, pass_fds=[made.carried]) as server,
        # The same program, through the same link, in the same place, with the token in sight.
        running(program, "60", cwd=data, env=token) as lookalike,
        running(sleep, "60", cwd=tmp_path) as elsewhere,
    ):
        made.close()
        assert list(cleanup.live_processes(made.root, made.marker)) == [server.pid]
        assert cleanup.remove_orphans([tmp_path]).removed == [made.root]
        assert server.wait(2) == -signal.SIGKILL
        assert (elsewhere.poll(), lookalike.poll()) == (None, None)


@LINUX
@pytest.mark.parametrize("what", ["an older process", "another boot"])
def test_a_process_that_is_older_than_the_sandbox_is_none_of_its(tmp_path: Path, what: str) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    made = directories.make(tmp_path)
    assert made.carried is not None
    with running(sleep, "60", pass_fds=[made.carried]) as process:
        message = made.marker.message()
        started = directories.started_ticks(Path(f"/proc/{process.pid}"))
        assert started is not None
        if what == "an older process":
            message["started_ticks"] = started + 1
        else:
            message["boot"] = "another"
        marker = directories.Marker.of(message)
        assert marker is not None
        assert list(cleanup.live_processes(made.root, made.marker)) == [process.pid]
        assert list(cleanup.live_processes(made.root, marker)) == []
    made.close()


@LINUX
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open(2)")
def test_a_number_that_has_become_another_process_s_is_not_signalled(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    made = directories.make(tmp_path)
    with running(sleep, "60") as other:
        cleanup._kill(other.pid, made.marker)
        assert other.poll() is None
    made.close()


def test_a_copied_marker_proves_nothing(tmp_path: Path) -> None:
    """Alone, or with everything around it, also under the name that it was made for."""
    with orphan(tmp_path) as made:
        mine = users_directory(tmp_path)
        shutil.copy(made.root / LOCK, mine / LOCK)
        backup = tmp_path / f"{PREFIX}backup"
        shutil.copytree(made.root, backup)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        same_name = users_directory(elsewhere, made.root.name)
        shutil.copy(made.root / LOCK, same_name / LOCK)
        sweep = cleanup.remove_orphans([tmp_path, elsewhere])
        assert sweep.removed == [made.root]
        assert {each.path for each in sweep.left_alone} == {mine, backup, same_name}
        assert {each.reason for each in sweep.left_alone} == {
            f"its marker is that of another directory, {made.root.name!r}"
        }
        assert is_whole(mine)
        assert is_whole(same_name)
        assert (backup / "cache").is_dir()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"token": 1}', "[" * 5_000, "\0", "x" * 100_000], ids=range(7)
)
def test_a_marker_that_is_none_proves_nothing(tmp_path: Path, content: str) -> None:
    """The empty one is what an older telemon made."""
    mine = users_directory(tmp_path)
    (mine / LOCK).write_text(content)
    sweep = cleanup.remove_orphans([tmp_path])
    assert sweep.removed == []
    assert [each.path for each in sweep.left_alone] == [mine]
    assert "its marker is none" in sweep.left_alone[0].reason
    assert is_whole(mine)


def test_a_sandbox_of_an_older_telemon_that_runs_is_not_even_named(tmp_path: Path) -> None:
    running = users_directory(tmp_path)
    with (running / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cleanup.remove_orphans([tmp_path]) == cleanup.Sweep()
    assert [each.path for each in cleanup.remove_orphans([tmp_path]).left_alone] == [running]


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_a_lock_that_is_no_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    with orphan(tmp_path) as made:
        mine = users_directory(tmp_path)
        lock = mine / LOCK
        if kind == "link":
            lock.symlink_to(made.root / LOCK)
        elif kind == "directory":
            lock.mkdir()
        else:
            os.mkfifo(lock)
        sweep = cleanup.remove_orphans([tmp_path])
        assert sweep.removed == [made.root]
        assert [each.path for each in sweep.left_alone] == [mine]
        assert is_whole(mine)


def test_no_link_out_of_a_sandbox_is_followed(tmp_path: Path) -> None:
    """A link named `sockets`, as an older telemon made them, and others."""
    mine = users_directory(tmp_path, "telemon-mine")
    with orphan(tmp_path) as made:
        for name in ("sockets", "cache/data", "mysql"):
            (made.root / name).symlink_to(mine)
        assert cleanup.remove_orphans([tmp_path]).removed == [made.root]
        assert is_whole(mine)


@pytest.mark.parametrize(
    "planted", ["a path", "a path and the token", "another inode", "another inode and token"]
)
def test_a_directory_for_sockets_is_removed_only_if_it_is_proven_too(
    tmp_path: Path, planted: str
) -> None:
    mine = users_directory(tmp_path, "telemon-mine")
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    with orphan(deep) as made:
        sockets = made.sockets
        assert not sockets.is_relative_to(deep)
        message = json.loads((made.root / LOCK).read_text())
        message["sockets"] = str(mine)
        if planted == "a path and the token":
            (mine / LOCK).write_text(message["token"])
        if planted.startswith("another inode"):
            message["sockets_inode"] = mine.lstat().st_ino
        if planted == "another inode and token":
            (mine / LOCK).write_text("0" * len(message["token"]))
        (made.root / LOCK).write_text(json.dumps(message))
        assert cleanup.remove_orphans([deep]).removed == [made.root]
        assert is_whole(mine)
        assert sockets.is_dir()
        shutil.rmtree(sockets)


def test_a_sandbox_that_was_replaced_while_it_ran_is_left_alone(tmp_path: Path) -> None:
    """The supervisor removes what it made, wherever a directory of that name came from."""
    with Sandbox(["durable"], directory=tmp_path) as servers:
        root = servers.directory
        moved = root.rename(tmp_path / "moved")
        users_directory(tmp_path, root.name)
    assert is_whole(root)
    shutil.rmtree(moved)
    assert inhabitants(tmp_path) == []


def test_a_sweep_leaves_alone_what_may_be_somebodys(tmp_path: Path) -> None:
    held = directories.make(tmp_path)
    young = Path(tempfile.mkdtemp(prefix=PREFIX, dir=tmp_path))
    old = Path(tempfile.mkdtemp(prefix=PREFIX, dir=tmp_path))
    os.utime(old, (time.time() - OLD_S, time.time() - OLD_S))
    target = tmp_path / "target"
    target.mkdir()
    linked = tmp_path / f"{PREFIX}linked"
    linked.symlink_to(target)
    foreign = tmp_path / "others-sandbox"
    foreign.mkdir()
    sweep = cleanup.remove_orphans([tmp_path, tmp_path / "absent"])
    assert sweep.removed == []
    assert [each.path for each in sweep.left_alone] == [old]
    held.close()
    assert cleanup.remove_orphans([tmp_path]).removed == [held.root]
    assert set(tmp_path.iterdir()) == {young, old, target, linked, foreign}
    assert inhabitants(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_sandbox_of_another_user_is_left_alone(tmp_path: Path) -> None:
    with orphan(tmp_path) as made:
        os.chown(made.root, 65_534, 65_534)
        sweep = cleanup.remove_orphans([tmp_path])
        assert (sweep.removed, sweep.left_alone) == ([], [])
        assert made.root.is_dir()
        os.chown(made.root, 0, 0)
        os.chown(made.root / LOCK, 65_534, 65_534)
        (left,) = cleanup.remove_orphans([tmp_path]).left_alone
        assert left.reason == "its marker is not a file of this user"
        assert made.root.is_dir()


def test_without_proc_a_server_is_known_by_its_path_and_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "PROC", tmp_path / "absent")
    sleep = shutil.which("sleep")
    assert sleep is not None
    with orphan(tmp_path) as made:
        program = made.root / PROGRAMS / "redis-server"
        program.symlink_to(sleep)
        with (
            running(program, "60") as server,
            running(sleep, "60", cwd=made.root / "cache") as visitor,
        ):
            message = {**made.marker.message(), "made_s": time.time() + 60}
            later = directories.Marker.of(message)
            assert later is not None
            assert list(cleanup.live_processes(made.root, later)) == []
            assert cleanup.remove_orphans([tmp_path]).removed == [made.root]
            assert server.wait(2) == -signal.SIGKILL
            assert visitor.poll() is None


def test_a_sandbox_that_could_not_be_made_leaves_no_directory_for_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep, short = tmp_path / ("deep" * 20), Path(tempfile.mkdtemp(prefix="short", dir="/tmp"))
    deep.mkdir()
    monkeypatch.setattr(directories, "_short_base", lambda: short)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(directories, "write", refuse)
    with pytest.raises(OSError, match="No space"):
        directories.make(deep)
    assert list(deep.iterdir()) == list(short.iterdir()) == []
    short.rmdir()


def test_a_server_s_group_is_not_signalled_after_its_end(tmp_path: Path) -> None:
    """Its number may be that of somebody else's processes by then."""
    from engines.sandbox.process import ServerProcess

    server = ServerProcess(
        "it", [sys.executable, "-c", ""], tmp_path, tmp_path / "log", carried=None
    )
    server.wait(10)
    assert not server.alive
    sent: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "killpg", lambda pid, _: sent.append(pid))
        server.kill()
    assert sent == []
