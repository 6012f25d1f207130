"""The programs of the private servers: where they are, and how to install those that are not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
"""Where servers live besides PATH: an ordinary user's often lacks /usr/sbin, where Debian has mariadbd."""

OS_RELEASE = Path("/etc/os-release")

MYSQL_PROGRAMS = ("mariadbd", "mysqld")

INSTALLERS = ("mariadb-install-db", "mysql_install_db")

INSTALLER_NEEDS = "my_print_defaults"
"""The installer is a script that stops without this program, which Debian ships apart, in mariadb-client-core."""

REDIS_PROGRAMS: Mapping[str, str] = {
    "valkey-server": "valkey-server",
    "redis-server": "redis-server",
    "redis6-server": "redis-server",
    "valkey-check-rdb": "valkey-server",
    "redis-check-rdb": "redis-server",
}
"""Programs that are a Redis or Valkey server when run under the name on the right.

The server and its RDB checker are one program that looks at the name it was started by, and Debian has it in
redis-tools as redis-check-rdb; its redis-server is a link to that.
"""


@dataclass(frozen=True, slots=True)
class MySQLBinary:
    """A MySQL server: `installer` makes MariaDB's system tables; None means Oracle's mysqld, which makes its own."""

    server: Path
    installer: Path | None


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A Redis or Valkey server, and the name that it must be started by."""

    server: Path
    run_as: str


@dataclass(frozen=True, slots=True)
class Binaries:
    """What was found; None for what the lanes asked for do not need."""

    mysql: MySQLBinary | None
    redis: RedisBinary | None


def find(lanes: Iterable[str]) -> Binaries:
    """The programs that `lanes` need. Raises MissingBinary, naming all that are missing at once."""
    wanted = frozenset(lanes)
    needs_mysql = bool(wanted & {"mysql", "cached"})
    needs_redis = bool(wanted & {"cached", "durable"})
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
    """MariaDB if there is one with its installer, else Oracle's MySQL, else None."""
    for program in MYSQL_PROGRAMS:
        server = _which(program)
        if server is None:
            continue
        installer = _installer(server)
        if installer is not None and _is_mariadb(server):
            return MySQLBinary(server, installer)
        if installer is None and not _is_mariadb(server):
            return MySQLBinary(server, None)
    return None


def find_redis() -> RedisBinary | None:
    """Valkey if there is one, else Redis, else None."""
    for program, run_as in REDIS_PROGRAMS.items():
        server = _which(program)
        if server is not None:
            return RedisBinary(server, run_as)
    return None


def install_command(kinds: Sequence[str]) -> str:
    """The command that installs the server programs of `kinds` ("mysql", "redis") on this platform."""
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
        # Valkey took the place of Redis in Fedora 41 and in RHEL 10.
        old = release.get("ID") != "fedora" and major.isdigit() and int(major) < 10
        return "sudo dnf install", {
            "mysql": "mariadb-server",
            "redis": "redis" if old else "valkey",
        }
    if "arch" in family:
        return "sudo pacman -S", {"mysql": "mariadb", "redis": "valkey"}
    # Only the packages that hold the programs: these start no service.
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
    # shutil.which takes an empty path for "use the default".
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
            [server, "--no-defaults", "--version"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"mariadb" in result.stdout.lower()
