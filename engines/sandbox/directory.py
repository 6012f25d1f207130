"""Directory of a sandbox: its location, its file system, its lock, and the proof that it is a sandbox."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engines.sandbox.errors import SandboxError, UnusableDirectory

PREFIX = "telemon-sandbox-"
"""Start of the name of every sandbox directory.

If it changes, `remove_orphans` no longer finds sandboxes of older versions.
"""

SOCKETS_PREFIX = "telemon-"
"""Start of the name of every separate directory for sockets."""

SOCKET_PATH_BYTES = 107
"""Longest path of a Unix socket in bytes: sun_path without its final NUL (unix(7))."""

LONGEST_SOCKET = "cached-mysql.sock.lock"
"""Longest name of a file next to a socket. It decides whether a separate directory for sockets is needed."""

LOCK = "lock"
"""Name of the lock file, which holds the marker. It is locked while a supervisor owns the sandbox; if it is not, the
supervisor was killed."""

PROGRAMS = "bin"
"""Directory of links to the server programs. Servers are started through them."""

MARKER_BYTES = 8_192
"""No marker is longer. The limit ends the read of a file that is none."""

CARRIED_PREFIX = "telemon-sandbox-"
"""Start of the name of the file in memory that every process of a sandbox inherits; the token follows."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""File with the name of this run of the system (random(4))."""

STARTTIME_FIELD = 19
"""Position of the start time among the fields of /proc/PID/stat that follow the program's name (proc_pid_stat(5))."""

VOLATILE = frozenset({"tmpfs", "ramfs"})
"""File systems in memory: data on them is not durable."""

REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "lustre", "fuse.sshfs"})
"""File systems over a network. A home directory may be on one, but a database should not."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What proves that a directory is a sandbox that telemon made, and a process one that this sandbox started.

    A directory is the sandbox if its name and its inode are those of the marker: a copy of the marker elsewhere proves
    nothing. `sockets` is the separate directory for sockets, "" for none, and `sockets_inode` its inode; it holds the
    `token` too. A process belongs to the sandbox if it holds a file in memory with the token in its name, which it
    can only have inherited, and started in the same `boot` not before `started_ticks` (clock ticks since the boot).
    `made_s` is the time in seconds since the epoch.
    """

    token: str
    name: str
    inode: int
    sockets: str
    sockets_inode: int
    boot: str
    started_ticks: int
    made_s: float

    @staticmethod
    def of(message: object) -> Marker | None:
        """Return the marker from its JSON object, None if it is not one."""
        if not isinstance(message, Mapping):
            return None
        types: Mapping[str, tuple[type, ...]] = {
            "str": (str,),
            "int": (int,),
            "float": (int, float),
        }
        names = Marker.__annotations__
        if message.keys() != names.keys() or not all(
            isinstance(message[name], types[kind]) for name, kind in names.items()
        ):
            return None
        return Marker(**message)

    def message(self) -> dict[str, Any]:
        """Return the marker as a JSON object."""
        return asdict(self)

    def is_of(self, root: Path) -> bool:
        """Return whether `root` is the directory for which the marker was made."""
        return root.name == self.name and own_inode(root) == self.inode

    @property
    def carried_name(self) -> str:
        """Return the name of the file in memory that the sandbox's processes inherit."""
        return CARRIED_PREFIX + self.token


class NotASandboxError(Exception):
    """A directory has the name of a sandbox and is not proven to be one; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class SandboxDirectory:
    """Directories of one sandbox.

    `root` holds everything. `sockets` holds the Unix sockets; it is `root` itself if that path is short enough. The
    sandbox has an owner until the descriptor `lock` is closed. Every process of the sandbox inherits `carried`, a
    descriptor that proves that it belongs to the sandbox; None on systems without files in memory.
    """

    root: Path
    sockets: Path
    lock: int
    marker: Marker
    carried: int | None

    def close(self) -> None:
        """Give the sandbox up: another telemon may remove what is left of it."""
        if self.carried is not None:
            os.close(self.carried)
        os.close(self.lock)


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
    sockets = root
    lock = -1
    try:
        if len(os.fsencode(root / LONGEST_SOCKET)) > SOCKET_PATH_BYTES:
            sockets = Path(tempfile.mkdtemp(prefix=SOCKETS_PREFIX, dir=_short_base()))
        marker = _marker(root, sockets)
        # Write and lock the file before it gets its final name. A clean-up then never sees the lock of a live sandbox
        # free, nor a marker in part.
        unnamed = root / f".{LOCK}"
        write(unnamed, json.dumps(marker.message()))
        lock = os.open(unnamed, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(root / LOCK)
        if sockets != root:
            write(sockets / LOCK, marker.token)
        (root / PROGRAMS).mkdir()
        carried = None
        if hasattr(os, "memfd_create"):
            carried = os.memfd_create(marker.carried_name)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        if sockets != root:
            shutil.rmtree(sockets, ignore_errors=True)
        if lock >= 0:
            os.close(lock)
        raise
    return SandboxDirectory(root, sockets, lock, marker, carried)


def _marker(root: Path, sockets: Path) -> Marker:
    return Marker(
        token=secrets.token_hex(16),
        name=root.name,
        inode=root.lstat().st_ino,
        sockets=str(sockets) if sockets != root else "",
        sockets_inode=sockets.lstat().st_ino if sockets != root else 0,
        boot=boot_id(),
        started_ticks=started_ticks(Path("/proc/self")) or 0,
        made_s=time.time(),
    )


def lock_marker(root: Path) -> tuple[int, Marker]:
    """Lock the sandbox in `root`, and return the descriptor of its lock and the marker in it.

    Raises NotASandboxError, FileNotFoundError if there is no lock, and BlockingIOError if it has an owner, of whatever
    version.
    """
    try:
        lock = os.open(
            root / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        )
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotASandboxError(f"its marker cannot be opened: {error.strerror}") from None
    try:
        status = os.fstat(lock)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise NotASandboxError("its marker is not a file of this user")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        marker = _parsed(os.pread(lock, MARKER_BYTES, 0))
        if marker is None:
            raise NotASandboxError("its marker is none that this version of telemon writes")
        if not marker.is_of(root):
            raise NotASandboxError(f"its marker is that of another directory, {marker.name!r}")
    except BaseException:
        os.close(lock)
        raise
    return lock, marker


def holds_token(sockets: Path, marker: Marker) -> bool:
    """Return whether `sockets` is the separate directory for sockets that was made with this marker."""
    if not marker.sockets or own_inode(sockets) != marker.sockets_inode:
        return False
    try:
        lock = os.open(sockets / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(lock, MARKER_BYTES) == marker.token.encode()
    except OSError:
        return False
    finally:
        os.close(lock)


def own_inode(path: Path) -> int | None:
    """Return the inode of a directory of this user; None if `path` is anything else, a link to one included."""
    try:
        status = path.lstat()
    except OSError:
        return None
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return status.st_ino if own else None


def boot_id() -> str:
    """Return a name of this run of the system, "" if it is not known."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def started_ticks(process: Path) -> int | None:
    """Return when a process in /proc started, in clock ticks since the boot; None if it is gone or unreadable."""
    try:
        status = (process / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The name of the program, in parentheses, may contain anything; the fields after it do not.
    return int(status.rpartition(")")[2].split()[STARTTIME_FIELD])


def _parsed(content: bytes) -> Marker | None:
    try:
        return Marker.of(json.loads(content))
    except (ValueError, RecursionError):
        return None


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
    # Not Path.is_dir, which raises an error where there is no way to the path.
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)  # noqa: PTH112


def _usable_or_error(path: Path, key: str) -> Path:
    try:
        there = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        there = False
    except (OSError, ValueError) as error:  # no way to it, a name that is too long, no name at all
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnusableDirectory(
            f"{key} = {path}: it cannot be reached: {reason}; set another directory"
        ) from error
    if not there:
        raise UnusableDirectory(
            f"{key} = {path}: there is no such directory; make it, or set another"
        )
    if not _writable(path):
        raise UnusableDirectory(f"{key} = {path}: it cannot be written to; set another directory")
    return path.absolute()
