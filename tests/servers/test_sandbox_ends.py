"""However telemon ends, nothing of its sandbox is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from engines.sandbox import binaries
from engines.sandbox.binaries import Binaries, MySQLBinary, RedisBinary
from engines.sandbox.sandbox import Sandbox, SandboxError
from tests.support.leftovers import assert_gone, inhabitants

ROOT = Path(__file__).parents[2]

HOLDER = """
import json, os, signal, sys, time
from pathlib import Path
from engines.sandbox.sandbox import Sandbox

base, how = Path(sys.argv[1]), sys.argv[2]

def heard(text):
    if how == "die while it starts":
        os.kill(os.getpid(), signal.SIGKILL)

sandbox = Sandbox(["cached"], directory=base, on_progress=heard)
sandbox.start()
forked = os.fork() if how == "leave a fork" else 0
if how == "leave a fork" and not forked:
    time.sleep(30)
    os._exit(0)
pids = [server.pid for server in sandbox.servers.values()]
sockets = str(sandbox.admin_mysql("cached-mysql").parent)
print(json.dumps({"pids": pids, "forked": forked, "sockets": sockets}), flush=True)
if how == "return":
    sys.exit(0)
if how == "raise":
    raise RuntimeError("something else broke")
signal.pause()
"""


@dataclass
class Holder:
    """A program that holds a sandbox, leader of a process group as a program started by a shell is."""

    process: subprocess.Popen[str]
    kept: list[psutil.Process]
    forked: int
    sockets: Path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """An empty directory for sandboxes, deep enough for these to need a second one for their sockets."""
    made = tmp_path / ("deep" * 20)
    made.mkdir()
    return made


def hold(base: Path, how: str = "wait") -> Holder:
    # Where it is started there happens to be something of the same name, which is none of its business.
    somewhere = base.parent / "somewhere"
    somewhere.mkdir(exist_ok=True)
    (somewhere / "engines.py").write_text("raise SystemExit('not this one')")
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDER, str(base), how],
        cwd=somewhere,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        return Holder(process, [], 0, base)
    told = json.loads(line)
    kept = []
    for pid in told["pids"]:
        try:
            server = psutil.Process(pid)
            kept += [server, server.parent() or server]
        except psutil.NoSuchProcess:
            continue
    return Holder(process, kept, told["forked"], Path(told["sockets"]))


def end(holder: Holder) -> int:
    assert holder.process.stdout is not None
    holder.process.stdout.close()
    return holder.process.wait(10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_the_whole_group_leaves_nothing(base: Path, number: int) -> None:
    holder = hold(base)
    assert len(holder.kept) == 4
    assert not holder.sockets.is_relative_to(base)
    os.killpg(holder.process.pid, number)
    end(holder)
    assert_gone(base, holder.kept)
    assert not holder.sockets.exists()


@pytest.mark.parametrize(("how", "status"), [("return", 0), ("raise", 1)])
def test_an_end_without_close_leaves_nothing(base: Path, how: str, status: int) -> None:
    holder = hold(base, how)
    assert end(holder) == status
    assert_gone(base, holder.kept)
    assert not holder.sockets.exists()


def test_dying_while_it_starts_leaves_nothing(base: Path) -> None:
    holder = hold(base, "die while it starts")
    assert end(holder) == -signal.SIGKILL
    assert_gone(base, inhabitants(base))


def test_a_fork_that_lives_on_does_not_keep_the_sandbox(base: Path) -> None:
    holder = hold(base, "leave a fork")
    try:
        holder.process.kill()
        holder.process.wait(10)
        assert psutil.pid_exists(holder.forked)
        for server in holder.kept:
            server.wait(2)
        assert list(base.iterdir()) == []
        assert not holder.sockets.exists()
    finally:
        os.kill(holder.forked, signal.SIGKILL)
        end(holder)


def broken(monkeypatch: pytest.MonkeyPatch, mysql: MySQLBinary, redis: RedisBinary) -> None:
    monkeypatch.setattr(binaries, "find", lambda _: Binaries(mysql, redis))


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("what", ["installer", "mariadb", "redis"])
def test_a_start_that_fails_half_way_leaves_nothing_and_says_why(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    failing = program(tmp_path / "failing", "echo starting; echo 'ERROR: the moon is full'; exit 3")
    mysql, redis = binaries.find_mysql(), binaries.find_redis()
    assert mysql is not None
    assert redis is not None
    if what == "installer":
        mysql = MySQLBinary(mysql.server, failing)
    elif what == "mariadb":
        mysql = MySQLBinary(failing, mysql.installer)
    else:
        redis = RedisBinary(failing, "redis-server")
    broken(monkeypatch, mysql, redis)
    servers = Sandbox(["cached", "durable"], directory=base)
    with pytest.raises(SandboxError) as failed:
        servers.start()
    said = str(failed.value)
    assert "\n" not in said
    assert "exit status 3: ERROR: the moon is full" in said
    assert "telemon doctor" in said
    assert_gone(base, [])
    servers.close()


def test_an_interrupt_while_it_starts_leaves_nothing(base: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    servers = Sandbox(["cached"], directory=base, on_progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        servers.start()
    assert_gone(base, [])
