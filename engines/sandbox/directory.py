"""Directory of a sandbox: its location, its lock and its file system."""

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
"""Start of the name of every sandbox directory.

If it changes, `remove_orphans` no longer finds sandboxes of older versions.
"""

SOCKETS_PREFIX = "telemon-"
"""Start of the name of every separate directory for sockets. `remove` deletes only directories with this prefix."""

SOCKET_PATH_BYTES = 107
"""Longest path of a Unix socket in bytes: sun_path without its final NUL (unix(7))."""

LONGEST_SOCKET = "cached-mysql.sock.lock"
"""Longest name of a file next to a socket. It decides whether a separate directory for sockets is needed."""

LOCK = "lock"
"""Name of the lock file. It is locked while a supervisor owns the sandbox; if it is not, the supervisor was killed."""

SOCKETS = "sockets"
"""Name of the link from a sandbox to its separate directory for sockets, if its own path is too long for sockets."""

PROGRAMS = "bin"
"""Directory of links to the server programs. Servers are started through them and recognized by them."""

VOLATILE = frozenset({"tmpfs", "ramfs"})
"""File systems in memory: data on them is not durable."""

REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "lustre", "fuse.sshfs"})
"""File systems over a network. A home directory may be on one, but a database should not."""


@dataclass(frozen=True, slots=True)
class SandboxDirectory:
    """Directories of one sandbox.

    `root` holds everything. `sockets` holds the Unix sockets; it is `root` itself if that path is short enough. The
    sandbox has an owner until the descriptor `lock` is closed.
    """

    root: Path
    sockets: Path
    lock: int


def base(directory: Path | None) -> Path:
    """Return the directory in which to create a sandbox.

    It is `directory` if given, else TMPDIR, else the first of the user's cache directory, /var/tmp and /tmp that is on
    a disk of this machine. Raises SandboxError if it cannot be used.
    """
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
    """Return the directories to try when none is configured, best first."""
    bases = []
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache and Path(cache).is_absolute():
        bases.append(Path(cache))
    else:
        with contextlib.suppress(RuntimeError):
            bases.append(Path.home() / ".cache")
    return [*bases, Path("/var/tmp"), Path("/tmp")]


def file_system(path: Path) -> str:
    """Return the type of the file system that holds `path`, as in /proc/mounts ("ext4", "tmpfs").

    "" on systems without /proc/mounts.
    """
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
    """Create a sandbox directory in `under`. Other users cannot enter it, and this process holds its lock.

    Raises OSError or SandboxError, and leaves nothing behind then.
    """
    root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=under))
    lock = -1
    try:
        # Lock the file before it gets its final name. A clean-up then never sees the lock of a live
        # sandbox free.
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
    """Write `text` to a file that only this user can read: it may contain a password."""
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
