"""What the log of a dead server, and the kernel, say of its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engines.model.deaths import DeathCause
from engines.sandbox import process as processes
from engines.sandbox.process import LAST_LINES, LINE_LENGTH, ServerProcess, oom_kills

PASSWORD = "Zq3-secret"


def dead(tmp_path: Path, text: str, code: str = "", log: Path | None = None) -> ServerProcess:
    """A server that wrote `text` and has ended."""
    program = f"import os, sys, signal; sys.stdout.write({text!r}); sys.stdout.flush(); {code}"
    server = ServerProcess(
        "it",
        [sys.executable, "-c", program],
        tmp_path,
        log or tmp_path / "log",
        carried=None,
        secret=PASSWORD,
    )
    server.wait(20)
    assert not server.alive
    return server


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        # Redis 7.0: src/aof.c, src/server.c; MariaDB 10.11: mysys, InnoDB.
        ("9:M 1 # Error writing to the AOF file: No space left on device", DeathCause.NO_SPACE),
        ("9:M 1 # Short write while writing to the AOF file: (nwritten=1, expected=2)", DeathCause.NO_SPACE),
        ("[ERROR] mariadbd: Disk is full writing './x.ibd' (Errcode: 28)", DeathCause.NO_SPACE),
        ("InnoDB: Error number 28 means 'No space left on device'", DeathCause.NO_SPACE),
        ("InnoDB: preallocating 16777216 bytes for file ./ib_logfile101 failed with error 28", DeathCause.NO_SPACE),
        ("InnoDB: Operating system error number 122 in a file operation.", DeathCause.NO_SPACE),
        ("InnoDB: Operating system error number 13 in a file operation.", None),
        ("write: Disk quota exceeded", DeathCause.NO_SPACE),
        ("Guru Meditation: Redis aborting for OUT OF MEMORY. Allocating 5 bytes", DeathCause.OUT_OF_MEMORY),
        ("InnoDB: Cannot allocate memory for the buffer pool", DeathCause.OUT_OF_MEMORY),
        ("9:M 1 # WARNING Memory overcommit must be enabled! Low memory", None),
        ("Ready to accept connections", None),
    ],
)  # fmt: skip
def test_the_cause_that_a_log_names(tmp_path: Path, line: str, cause: DeathCause | None) -> None:
    assert dead(tmp_path, f"starting\n{line}\nbye\n").death_cause() is cause


def test_what_a_server_wrote_before_it_was_started_again_is_not_about_this_end(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    log.write_text("No space left on device\n")
    server = dead(tmp_path, "ready\n", log=log)
    assert server.death_cause() is None
    assert server.last_log_lines() == ("ready",)


def test_the_last_lines_are_few_short_and_without_the_password(tmp_path: Path) -> None:
    text = "\n\n".join([f"requirepass {PASSWORD}", "x" * 5_000, "\x1b[2Jthe\tend"])
    early = f"print('early line, ' * 20_000 + chr(10) + {text!r})"
    lines = dead(tmp_path, "", early).last_log_lines()
    assert len(lines) == LAST_LINES
    assert lines[0] == "requirepass ***"
    assert len(lines[1]) == LINE_LENGTH
    assert lines[2] == "[2Jthe end"


def test_the_line_that_says_why_is_among_them(tmp_path: Path) -> None:
    report = "".join(f"register {number}\n" for number in range(50))
    lines = dead(tmp_path, f"9:M 1 # Redis crashed by signal: 11\n{report}").last_log_lines()
    assert lines == ("9:M 1 # Redis crashed by signal: 11", "register 48", "register 49")


@pytest.mark.parametrize(
    ("log", "code", "said"),
    [
        (
            "[Note] InnoDB: x\n[ERROR] InnoDB: Operating system error number 13 in a file operation.\n"
            "[ERROR] Unknown/unsupported storage engine: InnoDB\n[ERROR] Aborting\n",
            "sys.exit(1)",
            "exit status 1: [ERROR] InnoDB: Operating system error number 13 in a file operation.",
        ),
        (
            "[ERROR] mariadbd: Error writing file './ddl.log' (Errcode: 28 \"No space left on device\")\n"
            "[ERROR] Aborting\n",
            "sys.exit(1)",
            "no space was left on its disk, exit status 1: [ERROR] mariadbd: Error writing file './ddl.log' "
            '(Errcode: 28 "No space left on device")',
        ),
        (
            "[Note] starting\n[ERROR] Plugin 'x' failed\n[Note] InnoDB: Cannot allocate memory for the buffer pool\n"
            "[ERROR] Aborting\n",
            "sys.exit(1)",
            "out of memory, exit status 1: [Note] InnoDB: Cannot allocate memory for the buffer pool",
        ),
        ("ready\n", "os.kill(os.getpid(), signal.SIGTERM)", "killed by signal 15 (SIGTERM): ready"),
        ("[ERROR] Aborting\n", "sys.exit(1)", "exit status 1: [ERROR] Aborting"),
        ("", "sys.exit(3)", "exit status 3: it wrote nothing"),
    ],
)  # fmt: skip
def test_the_cause_comes_first(tmp_path: Path, log: str, code: str, said: str) -> None:
    assert dead(tmp_path, log, code).exit_summary() == said


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("sys.exit(1)", DeathCause.NO_SPACE),
        ("os.kill(os.getpid(), signal.SIGABRT)", DeathCause.NO_SPACE),
        ("os.kill(os.getpid(), signal.SIGTERM)", None),
        ("sys.exit(0)", None),
    ],
)
def test_a_full_disk_is_the_cause_where_the_log_could_not_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, cause: DeathCause | None
) -> None:
    monkeypatch.setattr(processes, "_full", lambda directory: directory == tmp_path)
    server = dead(tmp_path, "ready\n", code)
    assert server.death_cause() is cause
    assert server.next_step().startswith("make room in ") == (cause is not None)


def test_the_first_of_two_crashes_is_the_cause(tmp_path: Path) -> None:
    """As Valkey 9.1 ends: it tests its memory when it has run out of memory, and crashes in that."""
    report = (
        "9:M 1 # Out Of Memory allocating 500000011 bytes!",
        "=== VALKEY BUG REPORT START: Cut & paste starting from here ===",
        "9:M 1 # Guru Meditation: Valkey aborting for OUT OF MEMORY. Allocating 500000011 bytes!",
        "9:M 1 # valkey 9.1.2 crashed by signal: 11, si_code: 1",
        *(f"register {number:>1500}" for number in range(50)),
    )
    died = dead(tmp_path, "\n".join(report))
    assert died.death_cause() is DeathCause.OUT_OF_MEMORY
    lines = died.last_log_lines()
    assert "Valkey aborting for OUT OF MEMORY" in lines[0]
    assert [line[-2:] for line in lines[1:]] == ["48", "49"]


KILLED = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize(
    ("code", "kills", "cause"),
    [
        (KILLED, 1, DeathCause.OUT_OF_MEMORY),
        (KILLED, 0, None),
        ("os.kill(os.getpid(), signal.SIGTERM)", 1, None),
    ],
)
def test_a_kill_while_the_kernel_killed_for_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, kills: int, cause: DeathCause | None
) -> None:
    counted = iter([7, 7 + kills])
    monkeypatch.setattr(processes, "oom_kills", lambda: next(counted))
    assert dead(tmp_path, "ready\n", code).death_cause() is cause


@pytest.mark.parametrize(
    ("groups", "files", "kills"),
    [
        ("0::/a/b\n", {"a/b/memory.events": "max 3\noom_kill 5\n"}, 5),
        ("4:cpu,memory:/c\n0::/\n", {"memory/c/memory.oom_control": "oom_kill 6\n"}, 6),
        ("0::/a\n", {}, 2),
        ("", {"memory.events": "oom_kill 5\n"}, 2),
    ],
)
def test_kills_are_counted_in_the_own_control_group_if_there_is_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: str,
    files: dict[str, str],
    kills: int,
) -> None:
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True)
        (tmp_path / "cgroup" / name).write_text(text)
    (tmp_path / "groups").write_text(groups)
    (tmp_path / "vmstat").write_text("pgfault 9\noom_kill 2\n")
    monkeypatch.setattr(processes, "CONTROL_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(processes, "CONTROL_GROUP_MOUNT", tmp_path / "cgroup")
    monkeypatch.setattr(processes, "VM_STATISTICS", tmp_path / "vmstat")
    assert oom_kills() == kills
    (tmp_path / "vmstat").unlink()
    assert oom_kills() == (kills if files and groups else 0)


HUNGRY = """
import sys
from pathlib import Path
from engines.sandbox.process import ServerProcess
server = ServerProcess("it", [sys.executable, "-c", "b'x' * 500_000_000"], Path(sys.argv[1]), Path(sys.argv[1], "log"),
                       carried=None)
server.wait(30)
print(server.end.signal_name, server.death_cause())
"""


def test_a_server_that_the_kernel_kills_for_lack_of_memory_is_known(tmp_path: Path) -> None:
    """In a control group of 100 MB (version 1 or 2), which only root can make."""
    mount = Path("/sys/fs/cgroup")
    version_1 = (mount / "memory").is_dir()
    group = (mount / "memory" if version_1 else mount) / f"telemon-test-{os.getpid()}"
    limit = "memory.limit_in_bytes" if version_1 else "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text("100000000")
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"needs a control group of its own: {error}")
    python = (sys.executable, "-c", HUNGRY)
    try:
        ran = subprocess.run(
            [
                "sh",
                "-c",
                f'echo $$ > {group}/cgroup.procs; exec "$@"',
                "sh",
                *python,
                str(tmp_path),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        group.rmdir()
    assert ran.stdout.split() == [signal.SIGKILL.name, "out_of_memory"], ran.stderr
