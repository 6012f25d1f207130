"""Facts about the machine of a race."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from engines.race.machine import machine_facts


def test_the_limits_are_among_the_facts_of_a_machine(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    groups = tmp_path / "sys/fs/cgroup"
    groups.mkdir(parents=True)
    (groups / "cpu.max").write_text("150000 100000\n")
    (groups / "memory.max").write_text("268435456\n")
    facts = machine_facts(tmp_path)
    assert facts.cpu_limit == 1.5
    assert facts.memory_limit_bytes == 256 << 20


def test_the_facts_of_this_machine() -> None:
    facts = machine_facts()
    assert facts.cpus
    assert facts.memory_bytes == psutil.virtual_memory().total
    versions = facts.versions
    assert isinstance(versions, dict)
    assert set(versions) == {"python", "hiredis", "redis", "pymysql"}
    assert "not installed" not in versions.values()


def test_a_machine_that_hides_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden() -> None:
        raise PermissionError("/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", hidden)
    facts = machine_facts(tmp_path)
    assert (facts.memory_bytes, facts.memory_limit_bytes) == (None, None)
