"""Server programs for the sandbox: where to find them, and how to install missing ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.child_environment import program_environment
from engines.model.lanes import LANES
from engines.sandbox.errors import MissingBinary

SEARCH_DIRECTORIES: tuple[str, ...] = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/usr/libexec",
    "/opt/*/bin",
    "/opt/*/sbin",
    "/opt/homebrew/opt/*/bin",
    "/usr/local/opt/*/bin",
    "/usr/local/mysql/bin",
)
"""Directories searched after PATH. A normal user's PATH often lacks /usr/sbin, where Debian installs mariadbd."""

OS_RELEASE = Path("/etc/os-release")
"""File that names the Linux distribution (os-release(5)). It selects the package manager in the install hint."""

MYSQL_PROGRAMS = ("mariadbd", "mysqld")
"""Names of MySQL servers, in order of preference: MariaDB first."""

INSTALLERS = ("mariadb-install-db", "mysql_install_db")
"""Scripts that create MariaDB's system tables, newest name first."""

INSTALLER_NEEDS = "my_print_defaults"
"""Program without which the installer script stops. Debian ships it separately, in mariadb-client-core."""

REDIS_PROGRAMS: Mapping[str, str] = {
    "valkey-server": "valkey-server",
    "redis-server": "redis-server",
    "redis6-server": "redis-server",
    "valkey-check-rdb": "valkey-server",
    "redis-check-rdb": "redis-server",
}
"""Program file -> name under which it acts as a Redis or Valkey server, in order of preference.

Server and RDB checker are one executable that looks at the name it was started by. Debian's redis-tools contains it as
redis-check-rdb, and Debian's redis-server is a link to that file.
"""


@dataclass(frozen=True, slots=True)
class MySQLBinary:
    """MySQL server program and its installer.

    `installer` is the script that creates MariaDB's system tables. It is None for Oracle's mysqld, which creates its
    own.
    """

    server: Path
    installer: Path | None

    @property
    def product(self) -> str:
        """Return "MariaDB" or "MySQL"."""
        return "MySQL" if self.installer is None else "MariaDB"


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """Redis or Valkey server program, and the name (argv[0]) it must be started by."""

    server: Path
    run_as: str

    @property
    def product(self) -> str:
        """Return "Valkey" or "Redis". Packages of Valkey bring links with the names of Redis' programs."""
        name = self.server.resolve().name
        known = name if "redis" in name or "valkey" in name else self.run_as
        return "Valkey" if "valkey" in known else "Redis"


@dataclass(frozen=True, slots=True)
class Binaries:
    """Programs found for a set of lanes. None: not needed by these lanes."""

    mysql: MySQLBinary | None
    redis: RedisBinary | None


def find(lanes: Iterable[str]) -> Binaries:
    """Return the programs that `lanes` need.

    Raises MissingBinary with one message that names all missing programs.
    """
    wanted = [LANES[lane] for lane in lanes]
    needs_mysql = any(lane.has_mysql for lane in wanted)
    needs_redis = any(lane.has_redis for lane in wanted)
    mysql = find_mysql() if needs_mysql else None
    redis = find_redis() if needs_redis else None
    missing = []
    if needs_mysql and mysql is None:
        missing.append("mysql")
    if needs_redis and redis is None:
        missing.append("redis")
    if missing:
        programs = {
            "mysql": f"mariadbd with mariadb-install-db and {INSTALLER_NEEDS}",
            "redis": "redis-server or valkey-server",
        }
        what = " and ".join(programs[kind] for kind in missing)
        raise MissingBinary(
            f"the sandbox needs {what}, found neither in PATH nor in the usual places; "
            f"install with: {install_command(missing)}"
        )
    return Binaries(mysql, redis)


def find_mysql() -> MySQLBinary | None:
    """Return MariaDB if it is installed together with its installer, else Oracle's MySQL, else None."""
    for program in MYSQL_PROGRAMS:
        server = _which(program)
        found = None if server is None else _with_installer(server)
        if found is not None:
            return found
    return None


def _with_installer(server: Path) -> MySQLBinary | None:
    """Return a MySQL server program together with its installer; None for a MariaDB whose installer is missing.

    An installer beside Oracle's mysqld is that of some other server.
    """
    if not _is_mariadb(server):
        return MySQLBinary(server, None)
    installer = _installer(server)
    return None if installer is None else MySQLBinary(server, installer)


def find_redis() -> RedisBinary | None:
    """Return Valkey if it is installed, else Redis, else None."""
    for program, run_as in REDIS_PROGRAMS.items():
        server = _which(program)
        if server is not None:
            return RedisBinary(server, run_as)
    return None


def install_command(kinds: Sequence[str]) -> str:
    """Return the shell command that installs the server programs `kinds` ("mysql", "redis") on this platform."""
    if sys.platform == "darwin":
        manager, packages = "brew install", {"mysql": "mariadb", "redis": "redis"}
    else:
        manager, packages = _linux_packages(_os_release())
    return f"{manager} {' '.join(packages[kind] for kind in kinds)}"


def _linux_packages(release: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    major = release.get("VERSION_ID", "").split(".")[0]
    if "amzn" in family:
        return "sudo dnf install", {"mysql": "mariadb105-server", "redis": "redis6"}
    if family & {"fedora", "rhel", "centos"}:
        # Valkey replaced Redis in Fedora 41 and in RHEL 10.
        old = release.get("ID") != "fedora" and major.isdigit() and int(major) < 10
        return "sudo dnf install", {
            "mysql": "mariadb-server",
            "redis": "redis" if old else "valkey",
        }
    if "arch" in family:
        return "sudo pacman -S", {"mysql": "mariadb", "redis": "valkey"}
    # Name only the packages that contain the programs: these start no service.
    apt = "sudo apt-get install --no-install-recommends"
    if family & {"debian", "ubuntu"}:
        return apt, {
            "mysql": "mariadb-server-core mariadb-client-core",
            "redis": "redis-tools",
        }
    return "your package manager:", {"mysql": "MariaDB's server", "redis": "Redis or Valkey"}


def _os_release() -> dict[str, str]:
    try:
        lines = OS_RELEASE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def _which(program: str, first: Sequence[Path] = ()) -> Path | None:
    directories = [str(directory) for directory in first]
    directories += [
        directory for directory in os.environ.get("PATH", "").split(os.pathsep) if directory
    ]
    directories += [
        str(found)
        for directory in SEARCH_DIRECTORIES
        for found in sorted(Path("/").glob(directory.lstrip("/")))
    ]
    # shutil.which would treat an empty path as "use the default".
    found = shutil.which(program, path=os.pathsep.join(directories)) if directories else None
    return Path(found).absolute() if found else None


def _installer(server: Path) -> Path | None:
    prefix = server.resolve().parent.parent
    if _which(INSTALLER_NEEDS, (prefix / "bin", prefix / "extra")) is None:
        return None
    for program in INSTALLERS:
        found = _which(program, (prefix / "bin", prefix / "scripts"))
        if found is not None:
            return found
    return None


def _is_mariadb(server: Path) -> bool:
    if "mariadb" in server.resolve().name:
        return True
    try:
        result = subprocess.run(
            [server, "--no-defaults", "--version"],
            capture_output=True,
            env=program_environment(),
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"mariadb" in result.stdout.lower()
