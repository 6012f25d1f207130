"""Clean-up of sandboxes whose supervisor has ended: their processes and directories."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from engines.child_environment import program_environment
from engines.sandbox.directory import LOCK, PREFIX, PROGRAMS, SOCKETS, SOCKETS_PREFIX

MIN_ORPHAN_AGE_S = 60.0
"""Age in seconds from which a directory without a lock file counts as orphaned.

A younger one may be under construction by another process. A smaller value could delete it.
"""


def reclaim(root: Path, within_s: float = 2.0) -> bool:
    """Kill the servers of the sandbox in `root` and remove the directory. Return whether it is gone.

    Blocks for `within_s` seconds and one more attempt at most. Raises OSError or subprocess.SubprocessError if the
    system does not list the running processes.
    """
    deadline_s = time.monotonic() + within_s
    while True:
        for pid in live_processes(root):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        remove(root)
        if not root.exists():
            return True
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)


def remove(root: Path) -> None:
    """Remove the directories of the sandbox in `root`. Files may remain while one of its servers is alive."""
    with contextlib.suppress(OSError):
        sockets = (root / SOCKETS).readlink()
        if sockets.name.startswith(SOCKETS_PREFIX) and _is_own_directory(sockets):
            shutil.rmtree(sockets, ignore_errors=True)
    # Remove the programs last: `live_processes` recognizes a server by them.
    with contextlib.suppress(OSError):
        for path in list(root.iterdir()):
            if _is_own_directory(path) and path.name != PROGRAMS:
                shutil.rmtree(path, ignore_errors=True)
    if not _has_data(root):
        shutil.rmtree(root, ignore_errors=True)


def remove_orphans(directories: Iterable[Path]) -> list[Path]:
    """Remove the sandboxes in `directories` that no process owns any more. Return their root directories.

    Orphans exist only after telemon and its supervisor were both killed, or after a power failure.
    """
    removed = []
    for directory in dict.fromkeys(directories):
        for root in _sandboxes(directory):
            lock = _lock_orphan(root)
            if lock is None:
                continue
            try:
                if reclaim(root):
                    removed.append(root)
            except (OSError, subprocess.SubprocessError):
                # It is unknown whether a server lives in it. A later clean-up needs the remaining
                # files to find out.
                continue
            finally:
                os.close(lock)
    return removed


def live_processes(root: Path) -> Iterator[int]:
    """Yield the process ids of the sandbox servers in `root` that are alive.

    A server is a process of this user that runs one of the sandbox's programs and has its working directory inside the
    sandbox. A shell that somebody opened there fulfils only one condition. Command lines are not compared: the child
    that Redis forks to rewrite its log changes its own.
    """
    if not Path("/proc/self/exe").exists():
        yield from _processes_from_ps(root)
        return
    programs = _program_files(root)
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            working_directory = Path(_link_target(path / "cwd"))
            program = _link_target(path / "exe")
            if (
                program in programs
                and working_directory.is_relative_to(root)
                and _of_this_user(path)
            ):
                yield int(path.name)
        except OSError:
            continue


def _processes_from_ps(root: Path) -> Iterator[int]:
    """Yield the same as `live_processes` on systems without /proc.

    Servers are started through the links in their sandbox, and `ps` shows these paths.
    """
    ps = ["ps", "-axww", "-o", "pid=,uid=,args="]
    environment = program_environment()
    result = subprocess.run(ps, capture_output=True, check=False, timeout=5, env=environment)
    for line in result.stdout.splitlines():
        pid, uid, command = line.split(None, 2)
        if int(uid) == os.geteuid() and command.startswith(os.fsencode(root / PROGRAMS) + b"/"):
            yield int(pid)


def _program_files(root: Path) -> frozenset[str]:
    try:
        return frozenset(str(link.resolve()) for link in (root / PROGRAMS).iterdir())
    except OSError:
        return frozenset()


def _link_target(link: Path) -> str:
    return str(link.readlink()).removesuffix(" (deleted)")


def _has_data(root: Path) -> bool:
    try:
        return any(_is_own_directory(path) and path.name != PROGRAMS for path in root.iterdir())
    except OSError:
        return False


def _sandboxes(directory: Path) -> list[Path]:
    try:
        return [
            root
            for root in directory.iterdir()
            if root.name.startswith(PREFIX) and _is_own_directory(root)
        ]
    except OSError:
        return []


def _lock_orphan(root: Path) -> int | None:
    """Return the lock of `root` as an open, locked descriptor.

    None if another process holds the lock or may be about to take it.
    """
    try:
        lock = os.open(root / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            if time.time() - root.stat().st_mtime > MIN_ORPHAN_AGE_S:
                return os.open(root, os.O_RDONLY | os.O_CLOEXEC)
        return None
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _is_own_directory(path: Path) -> bool:
    """Return whether `path` is a directory of this user, and not a symbolic link to one."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _of_this_user(process: Path) -> bool:
    return process.stat().st_uid == os.geteuid()
