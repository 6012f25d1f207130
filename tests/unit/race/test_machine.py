"""CPU limits of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.race.machine import cpu_limit, machine_facts


def laid_out(root: Path, groups: str, **files: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_tightest_limit_of_a_group_and_those_above_it_holds(tmp_path: Path) -> None:
    root = laid_out(
        tmp_path,
        "0::/a/b\n",
        a__cpu_dot_max="150000 100000\n",
        a__b__cpu_dot_max="max 100000\n",
        cpu_dot_max="400000 100000\n",
        other__cpu_dot_max="1000 100000\n",
    )
    assert cpu_limit(root) == 1.5


def test_in_a_container_the_root_is_the_group(tmp_path: Path) -> None:
    root = laid_out(tmp_path, "0::/docker/of-the-host\n", cpu_dot_max="50000 100000\n")
    assert cpu_limit(root) == 0.5


def test_the_first_version_of_control_groups(tmp_path: Path) -> None:
    names = {"cpu.cfs_quota_us": "250000\n", "cpu.cfs_period_us": "100000\n"}
    root = laid_out(tmp_path, "5:memory:/x\n3:cpu,cpuacct:/x\n")
    group = root / "sys/fs/cgroup/cpu,cpuacct/x"
    group.mkdir(parents=True)
    for name, text in names.items():
        (group / name).write_text(text)
    assert cpu_limit(root) == 2.5
    (group / "cpu.cfs_quota_us").write_text("-1\n")
    assert cpu_limit(root) is None


@pytest.mark.parametrize("groups", ["0::/\n", ""])
def test_without_a_limit_there_is_none(tmp_path: Path, groups: str) -> None:
    assert cpu_limit(tmp_path) is None
    assert cpu_limit(laid_out(tmp_path, groups, cpu_dot_max="max 100000\n")) is None


def test_the_limit_is_among_the_facts_of_a_machine(tmp_path: Path) -> None:
    root = laid_out(tmp_path, "0::/\n", cpu_dot_max="150000 100000\n")
    assert machine_facts(root).cpu_limit == 1.5


def test_the_facts_of_this_machine() -> None:
    facts = machine_facts()
    assert facts.cpus
    versions = facts.versions
    assert isinstance(versions, dict)
    assert set(versions) == {"python", "hiredis", "redis", "pymysql"}
    assert "not installed" not in versions.values()
