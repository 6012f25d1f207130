"""What becomes of sandboxes that nobody keeps any more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from engines.sandbox import cleanup
from engines.sandbox import directory as directories
from engines.sandbox.sandbox import Sandbox
from tests.servers.test_sandbox import mysql_at, signed_in
from tests.servers.test_sandbox_ends import end, hold
from tests.support.leftovers import assert_gone, inhabitants, living


def test_the_next_start_sweeps_up_after_a_double_murder(tmp_path: Path) -> None:
    base = tmp_path / ("deep" * 20)
    base.mkdir()
    holder = hold(base)
    left = next(base.iterdir())
    assert not holder.sockets.is_relative_to(base)
    # Stopped first, or it would clean up when it sees its supervisor die.
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
        assert cleanup.remove_orphans([base]) == []
        with signed_in(mysql_at(servers, "mysql")) as connection:
            connection.ping()
    assert_gone(base, [])


def test_a_sweep_kills_servers_that_survived_and_nobody_else(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    made = directories.make(tmp_path)
    data = made.root / "cache"
    data.mkdir()
    program = made.root / directories.PROGRAMS / "redis-server"
    program.symlink_to(sleep)
    os.close(made.lock)
    other = shutil.copy(sleep, tmp_path / "other")
    server = subprocess.Popen([program, "60"], cwd=data)
    # The same program elsewhere, and another in the same place.
    elsewhere = subprocess.Popen([sleep, "60"], cwd=tmp_path)
    visitor = subprocess.Popen([other, "60"], cwd=data)
    try:
        time.sleep(0.1)
        assert list(cleanup.live_processes(made.root)) == [server.pid]
        assert cleanup.remove_orphans([tmp_path]) == [made.root]
        assert server.wait(2) == -signal.SIGKILL
        assert (elsewhere.poll(), visitor.poll()) == (None, None)
    finally:
        for process in (server, elsewhere, visitor):
            process.kill()
            process.wait()


def test_a_sweep_leaves_alone_what_may_be_somebodys(tmp_path: Path) -> None:
    held = directories.make(tmp_path)
    young = Path(tempfile.mkdtemp(prefix=directories.PREFIX, dir=tmp_path))
    old = Path(tempfile.mkdtemp(prefix=directories.PREFIX, dir=tmp_path))
    os.utime(old, (time.time() - 3_600, time.time() - 3_600))
    target = tmp_path / "target"
    target.mkdir()
    linked = tmp_path / f"{directories.PREFIX}linked"
    linked.symlink_to(target)
    foreign = tmp_path / "others-sandbox"
    foreign.mkdir()
    assert cleanup.remove_orphans([tmp_path, tmp_path / "absent"]) == [old]
    assert set(tmp_path.iterdir()) == {held.root, young, target, linked, foreign}
    os.close(held.lock)
    assert cleanup.remove_orphans([tmp_path]) == [held.root]
    assert inhabitants(tmp_path) == []
