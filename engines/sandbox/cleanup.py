"""Clean-up of sandboxes whose supervisor has ended: their processes and directories.

Only what is proven to be a sandbox's is ended or removed (see `engines.sandbox.directory.Marker`), never what only has
the name of one. Everything else is left alone, and named.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engines.child_environment import program_environment
from engines.sandbox.directory import (
    LOCK,
    PREFIX,
    PROGRAMS,
    Marker,
    NotASandboxError,
    boot_id,
    holds_token,
    lock_marker,
    own_inode,
    started_ticks,
)

MIN_ORPHAN_AGE_S = 60.0
"""Age in seconds from which a directory without a marker is named as none of telemon's.

A younger one may be under construction by another process.
"""

PROC = Path("/proc")
"""Where Linux shows its processes. Other systems have no such directory, or one without descriptors."""

CLOCK_STEP_S = 2.0
"""By how much a process may seem older than its sandbox on systems that tell the start of a process in whole seconds of
the clock. A smaller value leaves servers alone that started with the sandbox."""


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A directory with the name of a sandbox that was not removed, and why not."""

    path: Path
    reason: str


@dataclass(slots=True)
class Sweep:
    """What a clean-up did: the sandboxes that it removed, and the directories that it left alone."""

    removed: list[Path] = field(default_factory=list)
    left_alone: list[LeftAlone] = field(default_factory=list)


def reclaim(root: Path, marker: Marker, within_s: float = 2.0) -> bool:
    """Kill the servers of the sandbox in `root` and remove the directory. Return whether it is gone.

    A directory that is not the one of the marker is left alone. Blocks for `within_s` seconds and one more attempt at
    most. Raises OSError or subprocess.SubprocessError if the system does not list the running processes.
    """
    deadline_s = time.monotonic() + within_s
    while True:
        if marker.is_of(root):
            for pid in live_processes(root, marker):
                with contextlib.suppress(OSError):
                    _kill(pid, marker)
        remove(root, marker)
        if not marker.is_of(root):
            return not os.path.lexists(root)
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)


def remove(root: Path, marker: Marker) -> None:
    """Remove the directories of the sandbox in `root`. Files may remain while one of its servers is alive.

    No link is followed. A directory that is not the one of the marker is left alone.
    """
    if not marker.is_of(root):
        return
    # The path of a directory outside comes from the marker, which nobody but telemon has written, and is proven too.
    if marker.sockets and holds_token(Path(marker.sockets), marker):
        shutil.rmtree(marker.sockets, ignore_errors=True)
    with contextlib.suppress(OSError):
        for path in list(root.iterdir()):
            if own_inode(path) is not None:
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                with contextlib.suppress(OSError):
                    path.unlink()
        # The marker goes last: what remains without it would never be removed.
        if [path.name for path in root.iterdir()] in ([LOCK], []):
            (root / LOCK).unlink(missing_ok=True)
            root.rmdir()


def remove_orphans(directories: Iterable[Path]) -> Sweep:
    """Remove the sandboxes in `directories` that no process owns any more, and return what was done.

    Orphans exist only after telemon and its supervisor were both killed, or after a power failure.
    """
    sweep = Sweep()
    for directory in dict.fromkeys(directories):
        for root in _sandboxes(directory):
            try:
                orphan = _lock_orphan(root)
            except NotASandboxError as error:
                sweep.left_alone.append(LeftAlone(root, str(error)))
                continue
            if orphan is None:
                continue
            lock, marker = orphan
            try:
                if reclaim(root, marker):
                    sweep.removed.append(root)
                else:
                    sweep.left_alone.append(LeftAlone(root, "it cannot be removed as a whole"))
            except (OSError, subprocess.SubprocessError):
                # A later clean-up needs the remaining files to find out.
                reason = "whether a server lives in it is unknown: the processes cannot be listed"
                sweep.left_alone.append(LeftAlone(root, reason))
            finally:
                os.close(lock)
    return sweep


def live_processes(root: Path, marker: Marker) -> Iterator[int]:
    """Yield the process ids of the sandbox servers in `root` that are alive.

    A server is a process of this user that holds the file in memory with the marker's token in its name, and started
    after the sandbox was begun. Only inheritance gives a process this descriptor, and forks keep it; a server may
    overwrite its command line and its environment, and Redis does.
    """
    if not (PROC / "self" / "fd").exists():
        yield from _processes_from_ps(root, marker)
        return
    if marker.boot != boot_id():
        return
    for process in PROC.iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with contextlib.suppress(OSError):  # ended since it was listed
                if _is_server(process, marker):
                    yield int(process.name)


def _is_server(process: Path, marker: Marker) -> bool:
    """Return whether a process in /proc is one of the sandbox. Raises OSError if it has ended."""
    if process.stat().st_uid != os.geteuid():
        return False
    ticks = started_ticks(process)
    if ticks is None or ticks < marker.started_ticks:
        return False
    carried = f"/memfd:{marker.carried_name} (deleted)"
    for descriptor in (process / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed since it was listed
            if str(descriptor.readlink()) == carried:
                return True
    return False


def _kill(pid: int, marker: Marker) -> None:
    """Kill a server of the sandbox. Raises OSError if it has ended.

    By a handle where the system has one: between the proof and the signal the number may have become that of another
    process, so the proof is repeated with the handle in hand.
    """
    if not hasattr(os, "pidfd_open") or not (PROC / "self" / "fd").exists():
        os.kill(pid, signal.SIGKILL)
        return
    handle = os.pidfd_open(pid)
    try:
        if _is_server(PROC / str(pid), marker):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def _processes_from_ps(root: Path, marker: Marker) -> Iterator[int]:
    """Yield the same as `live_processes` on systems without /proc.

    There no descriptor of a process can be seen. The proof is the path by which a server was started: that of a link in
    this very directory, whose random name is in the marker and which only this user can enter. A process that started
    before the sandbox was made, or that does not show this path, is not a server of it.
    """
    ps = ["ps", "-axww", "-o", "pid=,uid=,lstart=,args="]
    environment = {**program_environment(), "LC_ALL": "C"}
    result = subprocess.run(ps, capture_output=True, check=False, timeout=5, env=environment)
    for line in result.stdout.splitlines():
        pid, uid, *start, command = line.split(None, 7)
        if int(uid) == os.geteuid() and command.startswith(os.fsencode(root / PROGRAMS) + b"/"):
            began = time.strptime(b" ".join(start).decode(), "%a %b %d %H:%M:%S %Y")
            if time.mktime(began) >= marker.made_s - CLOCK_STEP_S:
                yield int(pid)


def _sandboxes(directory: Path) -> list[Path]:
    """Return the directories of this user in `directory` that have the name of a sandbox. Links are none."""
    try:
        return [
            root
            for root in directory.iterdir()
            if root.name.startswith(PREFIX) and own_inode(root) is not None
        ]
    except OSError:
        return []


def _lock_orphan(root: Path) -> tuple[int, Marker] | None:
    """Return the lock of `root` as an open, locked descriptor, and its marker.

    None if another process holds the lock or may be about to take it. Raises NotASandboxError.
    """
    try:
        return lock_marker(root)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            if time.time() - root.stat().st_mtime > MIN_ORPHAN_AGE_S:
                raise NotASandboxError("it has no marker of telemon") from None
        return None
    except OSError:
        return None
