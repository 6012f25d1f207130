"""Limits of control groups: processors and memory, in both versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from engines.host.control_groups import cpu_limit, free_memory_bytes, memory_limit_bytes

MIB = 1 << 20

NONE_IN_VERSION_1 = str((1 << 63) - 4096)
"""What version 1 says where no limit was set."""


def laid_out(root: Path, groups: str, files: dict[str, str]) -> Path:
    """Make a file system in `root` with these `groups` of the process, and `files` below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.fixture
def available(monkeypatch: pytest.MonkeyPatch) -> int:
    """What the machine has available in bytes."""
    bytes_available = 4_096 * MIB
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(available=bytes_available)
    )
    return bytes_available


# -------------------------------------------------------------------- processors


def test_the_tightest_limit_of_a_group_and_those_above_it_holds(tmp_path: Path) -> None:
    files = {
        "a/cpu.max": "150000 100000",
        "a/b/cpu.max": "max 100000",
        "cpu.max": "400000 100000",
        "other/cpu.max": "1000 100000",
    }
    assert cpu_limit(laid_out(tmp_path, "0::/a/b\n", files)) == 1.5


def test_in_a_container_the_root_is_the_group(tmp_path: Path) -> None:
    files = {"cpu.max": "50000 100000", "memory.max": str(512 * MIB)}
    root = laid_out(tmp_path, "0::/docker/of-the-host\n", files)
    assert cpu_limit(root) == 0.5
    assert memory_limit_bytes(root) == 512 * MIB


@pytest.mark.parametrize("controllers", ["cpu,cpuacct", "cpuacct,cpu"])
def test_the_first_version_of_control_groups(tmp_path: Path, controllers: str) -> None:
    """A distribution names the directory in another order than the kernel does, with a link for each controller."""
    files = {"cpu/x/cpu.cfs_quota_us": "250000", "cpu/x/cpu.cfs_period_us": "100000"}
    root = laid_out(tmp_path, f"5:memory:/x\n3:{controllers}:/x\n", files)
    assert cpu_limit(root) == 2.5
    (root / "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us").write_text("-1\n")
    assert cpu_limit(root) is None


# -------------------------------------------------------------------- memory


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        ({"a/b/memory.max": 512 * MIB}, 512 * MIB),
        ({"a/memory.max": 300 * MIB, "a/b/memory.max": 512 * MIB}, 300 * MIB),
        ({"a/memory.max": 300 * MIB, "a/b/memory.max": "max"}, 300 * MIB),
        ({"memory.max": 200 * MIB, "a/memory.max": 300 * MIB}, 200 * MIB),
        ({"other/memory.max": MIB, "a/b/c/memory.max": MIB}, None),
        ({"memory.max": "max", "a/memory.max": "max", "a/b/memory.max": "max"}, None),
        ({"a/b/memory.max": 0}, 0),
        ({"a/b/memory.max": "", "a/memory.max": "no number"}, None),
        ({}, None),
    ],
)
def test_the_least_memory_limit_above_a_group_holds(
    tmp_path: Path, limits: dict[str, object], least: int | None
) -> None:
    files = {name: str(limit) for name, limit in limits.items()}
    assert memory_limit_bytes(laid_out(tmp_path, "0::/a/b\n", files)) == least


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        ({"x": NONE_IN_VERSION_1, "": NONE_IN_VERSION_1}, None),
        ({"x": NONE_IN_VERSION_1, "": 700 * MIB}, 700 * MIB),
        ({"x": 100 * MIB, "": 700 * MIB}, 100 * MIB),
        ({"x/y": 50 * MIB, "x": 100 * MIB}, 100 * MIB),
    ],
)
def test_a_memory_limit_of_the_first_version(
    tmp_path: Path, limits: dict[str, object], least: int | None
) -> None:
    files = {
        str(Path("memory", group, "memory.limit_in_bytes")): str(limit)
        for group, limit in limits.items()
    }
    # Beside it the second version, as systemd mounts both: its line has no controller that limits memory.
    root = laid_out(tmp_path, "4:memory:/x\n1:cpu:/elsewhere\n0::/init.scope\n", files)
    assert memory_limit_bytes(root) == least


LIMITS: tuple[Callable[[Path], float | None], ...] = (cpu_limit, memory_limit_bytes)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("groups", [None, "", "0::/\n", "0::/../above\n", "0::/a:b\n"])
def test_without_a_limit_there_is_none(
    tmp_path: Path, limit: Callable[[Path], float | None], groups: str | None
) -> None:
    root = tmp_path / "absent"
    if groups is not None:
        root = laid_out(tmp_path, groups, {"cpu.max": "max 100000", "memory.max": "max"})
    assert limit(root) is None


@pytest.mark.parametrize("limit", LIMITS)
def test_what_cannot_be_read_is_no_limit(
    tmp_path: Path, limit: Callable[[Path], float | None]
) -> None:
    """Directories in the place of files: the superuser, too, cannot read them."""
    root = laid_out(tmp_path, "0::/a\n", {})
    for name in ("memory.max", "cpu.max", "memory.limit_in_bytes", "cpu.cfs_quota_us"):
        (root / "sys/fs/cgroup/a" / name).mkdir(parents=True)
    assert limit(root) is None
    (root / "proc/self/cgroup").unlink()
    (root / "proc/self/cgroup").mkdir()
    assert limit(root) is None


@pytest.mark.parametrize("limit", LIMITS)
def test_the_name_of_a_group_need_not_be_text(
    tmp_path: Path, limit: Callable[[Path], float | None]
) -> None:
    root = laid_out(tmp_path, "", {"cpu.max": "100000 100000", "memory.max": "1"})
    (root / "proc/self/cgroup").write_bytes(b"0::/\xff\xfe\n")
    assert limit(root) == 1


# -------------------------------------------------------------------- free memory


def test_without_a_limit_what_the_machine_has_is_free(tmp_path: Path, available: int) -> None:
    assert free_memory_bytes(tmp_path) == available
    limited = laid_out(
        tmp_path, "0::/\n", {"memory.max": str(available * 2), "memory.current": "0"}
    )
    assert free_memory_bytes(limited) == available


def test_what_a_group_holds_is_not_free_and_what_it_caches_of_files_is(
    tmp_path: Path, available: int
) -> None:
    files = {
        "a/memory.max": str(1_000 * MIB),
        "a/memory.current": str(600 * MIB),
        "a/memory.stat": f"anon {300 * MIB}\ninactive_file {200 * MIB}\nactive_file {100 * MIB}",
    }
    root = laid_out(tmp_path, "0::/a\n", files)
    assert free_memory_bytes(root) == 700 * MIB < available
    # A group above it has a higher limit, and less of it left.
    for name, text in (("max", 2_000 * MIB), ("current", 1_900 * MIB)):
        (root / f"sys/fs/cgroup/memory.{name}").write_text(f"{text}\n")
    assert free_memory_bytes(root) == 100 * MIB
    # It may hold more than a limit that was lowered.
    (root / "sys/fs/cgroup/memory.max").write_text("1\n")
    assert free_memory_bytes(root) == 0


@pytest.mark.usefixtures("available")
def test_the_first_version_counts_the_groups_below_by_other_names(tmp_path: Path) -> None:
    files = {
        "memory/x/memory.limit_in_bytes": str(1_000 * MIB),
        "memory/x/memory.usage_in_bytes": str(600 * MIB),
        "memory/x/memory.stat": f"inactive_file {MIB}\ntotal_inactive_file {50 * MIB}\ntotal_active_file {50 * MIB}",
    }
    assert free_memory_bytes(laid_out(tmp_path, "4:memory:/x\n", files)) == 500 * MIB


def test_a_machine_that_hides_its_memory_leaves_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden() -> None:
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", hidden)
    assert free_memory_bytes(tmp_path) is None
    root = laid_out(tmp_path, "0::/\n", {"memory.max": str(512 * MIB)})
    assert free_memory_bytes(root) == 512 * MIB
