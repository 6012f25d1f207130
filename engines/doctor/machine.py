"""Checks of this machine: what telemon needs, and what private servers need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engines.child_environment import program_environment
from engines.config.disk_need import needed_bytes
from engines.config.errors import ConfigError
from engines.config.file_limit import require_files
from engines.config.memory_need import (
    SIZES_BYTES,
    fitting_size_bytes,
    memory_step,
    needed_memory_bytes,
)
from engines.config.race_config import RaceConfig
from engines.doctor.check import Check, CheckRunner
from engines.host.control_groups import cpu_limit, free_memory_bytes, memory_limit_bytes
from engines.host.open_files import raise_limit
from engines.model.lanes import LANES
from engines.sandbox import binaries
from engines.sandbox import directory as directories
from engines.sandbox.cluster import bus
from engines.sandbox.errors import SandboxError

REQUIRED_LIBRARIES = ("redis", "hiredis", "PyMySQL", "textual", "psutil")
"""Distributions that telemon imports. A version of each is shown."""

VERSION_WAIT_S = 10.0
"""Timeout in seconds for a server program that prints its version."""


def check_machine(settings: RaceConfig) -> Iterator[Check]:
    """Yield the checks of this machine for a race, by the very figures by which a race starts or does not."""
    private = settings.private_lanes
    runner = CheckRunner()
    yield _check_libraries(runner)
    yield _check_open_files(runner, settings)
    if not private:
        yield runner.ok("private servers", "not needed: every lane has servers of its own")
        return
    yield from _check_programs(runner, private)
    yield from _check_directory(runner, private, settings)
    yield _check_memory(runner, private, settings.engine_processes)


def _check_libraries(runner: CheckRunner) -> Check:
    installed, missing = [f"Python {sys.version.split()[0]}"], []
    for name in REQUIRED_LIBRARIES:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return runner.fail(
            "libraries",
            "library_missing",
            f"{', '.join(missing)} is not installed",
            "install telemon again: pip install --force-reinstall telemon",
        )
    return runner.ok("libraries", ", ".join(installed))


def _check_open_files(runner: CheckRunner, settings: RaceConfig) -> Check:
    limit = raise_limit()
    try:
        require_files(settings, limit)
    except ConfigError as error:
        finding, _, step = str(error).rpartition("; ")
        return runner.fail("open files", "too_few_files", finding, step)
    allowed = "any number of" if limit is None else f"{limit:,}"
    return runner.ok("open files", f"a process may have {allowed} files open")


def _check_programs(runner: CheckRunner, private: Sequence[str]) -> Iterator[Check]:
    if any(LANES[lane].has_mysql for lane in private):
        mysql = binaries.find_mysql()
        product = mysql.product if mysql else "MariaDB"
        yield _check_program(runner, product, "mysql", mysql.server if mysql else None, None)
    if any(LANES[lane].has_redis for lane in private):
        redis = binaries.find_redis()
        product, name = (redis.product, redis.run_as) if redis else ("Redis", None)
        yield _check_program(runner, product, "redis", redis.server if redis else None, name)
    if any(LANES[lane].is_cluster for lane in private) and bus.find_openssl() is None:
        yield runner.warn(
            "openssl program",
            "openssl_missing",
            "not found: the nodes of the private cluster talk to each other without TLS, and another user of this "
            "machine can join the cluster",
            f"install {bus.OPENSSL} with the package manager",
        )


def _check_program(
    runner: CheckRunner, name: str, kind: str, server: Path | None, run_as: str | None
) -> Check:
    if server is None:
        return runner.fail(
            f"{name} program",
            "program_missing",
            "found neither in PATH nor in the usual places; private servers need it",
            f"install with: {binaries.install_command([kind])}",
        )
    try:
        # The program acts by the name it is started by, and --version prevents it from starting a
        # server.
        result = subprocess.run(
            [run_as or str(server), "--version"],
            executable=server,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=program_environment(),
            timeout=VERSION_WAIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return runner.fail(
            f"{name} program",
            "program_broken",
            f"{server} does not even say its version: {error}",
            f"install it again: {binaries.install_command([kind])}",
        )
    version_text = (
        result.stdout.decode("utf-8", "replace").partition("\n")[0].removeprefix(str(server))
    )
    return runner.ok(f"{name} program", f"{server}: {version_text.strip()}")


def _check_directory(
    runner: CheckRunner, private: Sequence[str], settings: RaceConfig
) -> Iterator[Check]:
    name = "sandbox directory"
    try:
        base = directories.base(settings.sandbox.directory)
    except SandboxError as error:
        yield runner.fail(
            name, "directory_unusable", str(error), "set sandbox.directory to one that can be used"
        )
        return
    kind = directories.file_system(base)
    free_bytes = shutil.disk_usage(base).free
    finding = f"{base}, {free_bytes / 1e9:.1f} GB free, on {kind or 'an unknown file system'}"
    needed = needed_bytes(private, settings.preset, settings.duration_s)
    if free_bytes < needed:
        yield runner.fail(
            name,
            "disk_full",
            finding,
            f"make room: private servers need {needed / 1e9:.1f} GB; or set sandbox.directory to another disk",
        )
    elif kind in directories.VOLATILE | directories.REMOTE:
        yield runner.warn(
            name,
            "not_a_disk",
            f"{finding}: {'memory' if kind in directories.VOLATILE else 'a file system over the network'}, not a disk, "
            "so what a commit costs here means nothing",
            "set sandbox.directory to a directory on a local disk",
        )
    else:
        yield runner.ok(name, finding)


def _check_memory(runner: CheckRunner, private: Sequence[str], engine_processes: int) -> Check:
    free_bytes = free_memory_bytes()
    finding = f"{_free_text(free_bytes)}, {_processors_text()}"
    size_bytes = fitting_size_bytes(private, free_bytes, engine_processes)
    if size_bytes == SIZES_BYTES[0]:
        return runner.ok("memory", finding)
    if size_bytes is None:
        needed = needed_memory_bytes(private, SIZES_BYTES[-1], engine_processes)
        return runner.fail(
            "memory",
            "too_little_memory",
            f"{finding}: the race with its private servers needs {needed / 1e6:,.0f} MB",
            memory_step(private),
        )
    needed = needed_memory_bytes(private, SIZES_BYTES[0], engine_processes)
    return runner.warn(
        "memory",
        "little_memory",
        f"{finding}: buffer pools and cache will be {size_bytes >> 20} MiB each, not {SIZES_BYTES[0] >> 20}, for which "
        f"{needed / 1e6:,.0f} MB are needed",
        memory_step(private),
    )


def _free_text(free_bytes: int | None) -> str:
    if free_bytes is None:
        return "free memory is not known"
    limit_bytes = memory_limit_bytes()
    limit = (
        "" if limit_bytes is None else f" (limit of the control group: {limit_bytes / 1e6:,.0f} MB)"
    )
    return f"{free_bytes / 1e6:,.0f} MB of memory free for telemon{limit}"


def _processors_text() -> str:
    cpus, limit = os.cpu_count() or 1, cpu_limit()
    return f"{cpus} processors" + ("" if limit is None else f", {limit:g} of them for telemon")
