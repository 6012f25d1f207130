"""The directory of a sandbox: where it goes, and what it lies on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engines.sandbox.errors import SandboxError, UnusableDirectory

PREFIX = "telemon-sandbox-"

SOCKETS_PREFIX = "telemon-"

SOCKET_PATH_BYTES = 107
"""The longest path of a Unix socket: sun_path less its final NUL (unix(7))."""

LONGEST_SOCKET = "cached-mysql.sock.lock"

LOCK = "lock"
"""Locked as long as somebody keeps the sandbox; an open one tells that its keeper was killed."""

SOCKETS = "sockets"
"""The link from a sandbox to its second directory, where its own path is too long for a socket's."""

PROGRAMS = "bin"
"""Links to the programs of the servers, by which they are started and known again."""

VOLATILE = frozenset({"tmpfs", "ramfs"})

REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "lustre", "fuse.sshfs"})
"""File systems over a network: a home directory may lie on one, and a database does not belong there."""


@dataclass(frozen=True, slots=True)
class SandboxDirectory:
    """The directories of one sandbox: `root` holds everything, `sockets` the Unix sockets (`root` itself where its
    path is short enough). The sandbox is somebody's until the descriptor `lock` is closed."""

    root: Path
    sockets: Path
    lock: int


def base(directory: Path | None) -> Path:
    """The directory in which to make a sandbox: the one asked for, else TMPDIR, else the first of the user's cache
    directory, /var/tmp and /tmp that lies on a disk of this machine. Raises SandboxError if it cannot be used."""
    if directory is not None:
        return _usable_or_error(directory, "sandbox.directory")
    if os.environ.get("TMPDIR"):
        return _usable_or_error(Path(os.environ["TMPDIR"]), "TMPDIR")
    usable = [candidate for candidate in default_bases() if _writable(candidate)]
    if not usable:
        tried = ", ".join(str(candidate) for candidate in default_bases())
        raise SandboxError(
            f"none of {tried} can be written to; set sandbox.directory to one that can"
        )
    on_disk = (candidate for candidate in usable if file_system(candidate) not in VOLATILE | REMOTE)
    return next(on_disk, usable[0])


def default_bases() -> list[Path]:
    """Where a sandbox goes when nothing is said, best first."""
    bases = []
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache and Path(cache).is_absolute():
        bases.append(Path(cache))
    else:
        with contextlib.suppress(RuntimeError):
            bases.append(Path.home() / ".cache")
    return [*bases, Path("/var/tmp"), Path("/tmp")]


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`, as in /proc/mounts ("ext4", "tmpfs"); "" where there is none."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    real = path.resolve()
    depth, kind = 0, ""
    for line in mounts.splitlines():
        _, escaped, found, *_ = line.split(" ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped))
        # Of two mounts on the same point the later one hides the earlier.
        if real.is_relative_to(point) and len(point.parts) >= depth:
            depth, kind = len(point.parts), found
    return kind


def make(under: Path) -> SandboxDirectory:
    """A new sandbox directory in `under`: closed to other users, and locked by this process."""
    root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=under))
    lock = -1
    try:
        # Locked before it gets its name, so that a sweep never finds the lock of a living sandbox open.
        unnamed = root / f".{LOCK}"
        lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(root / LOCK)
        (root / PROGRAMS).mkdir()
        sockets = root
        if len(os.fsencode(root / LONGEST_SOCKET)) > SOCKET_PATH_BYTES:
            sockets = Path(tempfile.mkdtemp(prefix=SOCKETS_PREFIX, dir=_short_base()))
            (root / SOCKETS).symlink_to(sockets)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        if lock >= 0:
            os.close(lock)
        raise
    return SandboxDirectory(root, sockets, lock)


def write(path: Path, text: str) -> None:
    """Write a file that only this user may read: it may hold a password."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _short_base() -> Path:
    for candidate in (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/var/tmp"):
        if candidate and len(os.fsencode(candidate)) < 40 and _writable(Path(candidate)):
            return Path(candidate)
    raise SandboxError(
        "the path of the sandbox's directory is too long for a socket in it, and /tmp cannot be written to; "
        "set sandbox.directory to a shorter one"
    )


def _writable(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def _usable_or_error(path: Path, key: str) -> Path:
    if not path.is_dir():
        raise UnusableDirectory(
            f"{key} = {path}: there is no such directory; make it, or set another"
        )
    if not _writable(path):
        raise UnusableDirectory(f"{key} = {path}: it cannot be written to; set another directory")
    return path.absolute()
