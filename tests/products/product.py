"""The products that users of telemon have and the machine has not: where each is had, and how it is started."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.products.suites import UnavailableError, loader, unpack


@dataclass(frozen=True, slots=True)
class Product:
    """A server in a suite of Debian.

    `variable` is what names its program to the tests, `program` its file in the package below /usr. `acts_as` is the
    name to start it by, "" for its own. `alone` are packages that are unpacked without what they need.
    """

    id: str
    title: str
    suite: str
    variable: str
    program: str
    packages: tuple[str, ...]
    acts_as: str = ""
    alone: tuple[str, ...] = ()


REDIS = "TELEMON_TEST_REDIS_SERVER"
MYSQL = "TELEMON_TEST_MYSQLD"

PRODUCTS = (
    Product(
        *("valkey-8", "Valkey 8", "trixie", REDIS, "bin/valkey-check-rdb"),
        ("valkey-tools",),
        acts_as="valkey-server",
    ),
    Product(
        *("valkey-9", "Valkey 9", "sid", REDIS, "bin/valkey-check-rdb"),
        ("valkey-tools",),
        acts_as="valkey-server",
    ),
    Product(
        *("redis-8", "Redis 8", "trixie", REDIS, "bin/redis-check-rdb"),
        ("redis-tools",),
        acts_as="redis-server",
    ),
    Product(
        *("mysql-9", "Oracle MySQL 9", "sid", MYSQL, "sbin/mysqld"),
        ("mysql-server-core",),
    ),
    Product(
        *("mariadb-11.8", "MariaDB 11.8", "trixie", MYSQL, "sbin/mariadbd"),
        ("mariadb-server-core", "mariadb-client-core"),
        # Has the plugins of the ways of signing in, and needs half a system beside.
        alone=("mariadb-server",),
    ),
)


def provide(product: Product, directory: Path) -> Path:
    """Unpack a product below `directory`, and return the executable that starts it. Raises UnavailableError."""
    place = directory / product.id
    root = unpack(product.suite, product.packages, product.alone, place)
    system = root / "usr"
    name = Path(product.program).name
    if name == "mysqld":
        options = (
            f"--basedir={system}",
            f"--lc-messages-dir={system / 'share/mysql'}",
            f"--character-sets-dir={system / 'share/mysql/charsets'}",
            f"--plugin-dir={system / 'lib/mysql/plugin'}",
        )
        return _mysql_server(place / "bin/mysqld", system / product.program, options)
    if name == "mariadbd":
        return _mariadb(place, system)
    path = place / "bin" / (product.acts_as or name)
    return _wrapper(path, system / product.program, product.acts_as)


def version(program: Path) -> str:
    """Return the version that a server program says of itself. Raises UnavailableError."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(?:\bv=|\bVer )(\d+(?:\.\d+)+)", done.stdout)
    if found is None:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise UnavailableError(f"{program} names no version; it says: {said}")
    return found[1]


def _wrapper(path: Path, program: Path, acts_as: str) -> Path:
    """Write the executable `path`, which runs a program of another system with the libraries of that system."""
    start, libraries = loader(_root_of(program))
    named = ("--argv0", acts_as) if acts_as else ()
    words = (start, *named, "--library-path", libraries, program)
    return _script(path, f'exec {shlex.join(map(str, words))} "$@"')


def _mysql_server(path: Path, program: Path, options: tuple[str, ...]) -> Path:
    """Write the executable `path`, which runs a server of the kind of MySQL with `options` beside those given."""
    start, libraries = loader(_root_of(program))
    words = shlex.join(map(str, (start, "--library-path", libraries, program)))
    return _script(
        path,
        # Which option files to read must stay the first argument.
        'case "${1-}" in --no-defaults|--defaults-*) first=$1; shift;; *) first=--no-defaults;; esac\n'
        f'exec {words} "$first" {shlex.join(options)} "$@"',
    )


def _mariadb(place: Path, system: Path) -> Path:
    """Lay out MariaDB as its installer looks for it below a base directory, and return the server."""
    options = (
        f"--lc-messages-dir={place / 'share/mysql'}",
        f"--plugin-dir={place / 'lib/mysql/plugin'}",
    )
    for part in ("share", "lib"):
        if not (place / part).is_symlink():
            (place / part).symlink_to(system / part)
    for tool in ("bin/my_print_defaults", "bin/resolveip"):
        _wrapper(place / tool, system / tool, "")
    _script(
        place / "bin/mariadb-install-db",
        # The first argument says which option files to read, and must stay the first.
        f"first=$1; shift; exec sh {shlex.quote(str(system / 'bin/mariadb-install-db'))} "
        f'"$first" {shlex.quote(f"--basedir={place}")} "$@"',
    )
    return _mysql_server(place / "sbin/mariadbd", system / "sbin/mariadbd", options)


def _root_of(program: Path) -> Path:
    return next(parent for parent in program.parents if parent.name == "root")


def _script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
