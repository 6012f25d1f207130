"""Packages of other suites of Debian, unpacked with all that they need: nothing is installed, no root is needed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Keys by which a list of packages is known for Debian's."""


class UnavailableError(Exception):
    """A suite or a package cannot be had. Its text says which, and why."""


def archive() -> str:
    """Return the address of the Debian archive that this machine takes its own packages from."""
    listed = _output(
        "apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"
    )
    for line in listed.splitlines():
        origin, _, address = line.partition(" ")
        if origin == "Debian" and "security" not in address:
            return address
    raise UnavailableError("no source of Debian packages is configured for apt")


def unpack(suite: str, packages: Sequence[str], alone: Sequence[str], directory: Path) -> Path:
    """Unpack `packages` of a suite with all that they need, and `alone` without, and return the root directory.

    What was downloaded before is not again. Raises UnavailableError.
    """
    root = directory / "root"
    for part in ("lists/partial", "archives/partial", "alone"):
        (directory / "apt" / part).mkdir(parents=True, exist_ok=True)
    root.mkdir(exist_ok=True)
    sources = directory / "apt" / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {archive()} {suite} main\n")
    # An empty list of installed packages: the C library is unpacked too.
    (directory / "apt" / "status").touch()
    options = {
        "Dir::State::lists": directory / "apt" / "lists",
        "Dir::State::status": directory / "apt" / "status",
        "Dir::Cache": directory / "apt",
        "Dir::Cache::archives": directory / "apt" / "archives",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Acquire::Check-Valid-Until": "false",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Debug::NoLocking": "true",
    }
    apt = [
        "apt-get",
        "-qq",
        *(word for name in options for word in ("-o", f"{name}={options[name]}")),
    ]
    _output(*apt, "update")
    _output(*apt, "install", "--download-only", "-y", *packages)
    if alone:
        _output(*apt, "download", *alone, place=directory / "apt" / "alone")
    for package in sorted((directory / "apt").glob("a*/*.deb")):
        _output("dpkg", "-x", str(package), str(root))
    return root


def loader(root: Path) -> tuple[Path, Path]:
    """Return the dynamic loader of an unpacked root, and the directory of its libraries. Raises UnavailableError."""
    for found in sorted((root / "usr" / "lib").glob("*-linux-gnu*/ld-linux*.so.*")):
        return found, found.parent
    raise UnavailableError(f"{root} has no dynamic loader")


def _output(*command: str, place: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=place,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise UnavailableError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise UnavailableError(f"{command[0]}: {last}")
    return done.stdout
