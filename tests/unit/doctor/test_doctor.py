"""The doctor's own parts: what it looks at on this machine, how it times, what it prints."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from statistics import median_low
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.config.disk_need import needed_bytes
from engines.config.errors import ConfigError
from engines.config.file_limit import require_files
from engines.config.race_config import RaceConfig
from engines.config.settings import SandboxConfig
from engines.doctor import machine
from engines.doctor.check import Check, CheckRunner, Status
from engines.doctor.network import resolve, tcp
from engines.doctor.round_trip import check_round_trip, percentile_ms
from engines.doctor.target import PlannedLoad, targets
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.endpoints.redaction import FOREIGN_LENGTH
from engines.sandbox import binaries
from tui.cli.doctor import lines, status

ROOT = Path(__file__).parents[3]

CODE = "import sys; from tui.cli.main import run; sys.exit(run())"

LOAD = PlannedLoad(writers=4, readers=8, batch=100)


def found_on_machine(directory: Path | None = None) -> dict[str, Check]:
    checks = machine.check_machine(RaceConfig(sandbox=SandboxConfig(directory=directory)))
    return {check.name: check for check in checks}


# -------------------------------------------------------------------- checks and their lines


def test_each_check_has_the_time_since_the_one_before() -> None:
    runner = CheckRunner("e")
    time.sleep(0.05)
    first = runner.ok("one", "")
    time.sleep(0.1)
    second = runner.fail("two", "p", "f", "n")
    assert first.ms is not None
    assert second.ms is not None
    assert 50 <= first.ms < 100 <= second.ms < 1000


@given(st.text())
def test_whatever_a_server_says_is_one_printable_line(text: str) -> None:
    check = CheckRunner("e").fail("name", "problem", text, "next")
    assert len(check.finding) <= FOREIGN_LENGTH
    for line in lines(check):
        assert line.isprintable()
        assert "\x1b" not in line


def test_lines_and_the_last_word() -> None:
    good = Check("", "TCP", Status.OK, "10.0.0.1 port 3306 takes connections", 1.26)
    bad = Check("", "TLS", Status.FAIL, "expired", 12.0, "certificate_expired", "renew it")
    assert list(lines(good)) == [
        "  OK        1.3 ms  TCP:               10.0.0.1 port 3306 takes connections"
    ]
    assert list(lines(bad)) == [
        "  FAIL     12.0 ms  TLS:               expired",
        "                    next: renew it",
    ]
    assert status([good, bad]) == (
        "1 OK, 0 WARN, 1 FAIL; what comes after a FAIL was not looked at"
    )
    assert status([good, good]) == "2 OK, 0 WARN, 0 FAIL"


def test_lines_are_folded_to_the_terminal_under_what_they_say() -> None:
    found = "the certificate is not for db.example: it is for telemon.cluster-abcdefgh1234.eu-west-1.rds.amazonaws.com"
    check = Check("", "TLS", Status.FAIL, found, 12.0, "wrong_host_name", "set host to the name")
    assert list(lines(check, 80)) == [
        "  FAIL     12.0 ms  TLS:               the certificate is not for db.example: it",
        "                                       is for",
        "                                       telemon.cluster-abcdefgh1234.eu-west-1.rds.amazonaws.com",
        "                    next: set host to the name",
    ]
    # On a narrow terminal it goes on further to the left.
    assert list(lines(check, 60))[1] == "        not for db.example: it is for"


@given(st.text(), st.text(), st.integers(10, 300))
def test_folding_loses_and_breaks_no_word(found: str, step: str, columns: int) -> None:
    check = CheckRunner("e").fail("cluster coverage", "problem", found, step)
    folded, whole = list(lines(check, columns)), list(lines(check))
    assert " ".join(folded).split() == " ".join(whole).split()
    for line in folded:
        # The head of a line has five words; a word that is too long stands alone beside it.
        assert len(line) <= columns or len(line.split()) <= 5 + 1


# -------------------------------------------------------------------- round trips and names


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=60).map(sorted))
def test_percentiles_are_values_that_so_many_do_not_exceed(took_ms: list[float]) -> None:
    assert percentile_ms(took_ms, 50) == median_low(took_ms)
    assert percentile_ms(took_ms, 100) == took_ms[-1]
    p99 = percentile_ms(took_ms, 99)
    assert sum(value <= p99 for value in took_ms) >= 0.99 * len(took_ms)
    assert p99 in took_ms


@pytest.mark.parametrize(("ms", "problem"), [(1.99, ""), (2.01, "far_away")])
def test_more_than_two_milliseconds_is_far_away(ms: float, problem: str) -> None:
    # Half of the pings are quick: the middle one decides, not the slowest.
    (check,) = check_round_trip(CheckRunner("e"), [0.1] * 24 + [ms] * 26)
    assert check.problem == problem
    (check,) = check_round_trip(CheckRunner("e"), [0.1] * 26 + [90.0] * 24)
    assert check.problem == ""


def test_a_resolver_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "RESOLVE_WAIT_S", 0.2)

    def slow(*_: object, **__: object) -> list[object]:
        time.sleep(1)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    began_s = time.monotonic()
    (check,) = resolve.resolve(CheckRunner("e"), "db.example.com")
    assert time.monotonic() - began_s < 0.9
    assert check.problem == "unresolved"
    assert "no name server answered" in check.finding


def test_a_name_with_two_addresses_of_which_one_is_dead() -> None:
    """127.0.0.2 is this machine too, and nobody listens there."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        connecting = tcp.connect(CheckRunner("e"), ["127.0.0.2", "127.0.0.1"], port)
        check = next(connecting)
        with pytest.raises(StopIteration) as ended:
            next(connecting)
        with ended.value.value as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
    assert (check.status, check.problem) == (Status.WARN, "partly_refused")
    assert "127.0.0.2" in check.finding


def test_connections_of_lanes_that_share_a_server_are_added_up() -> None:
    one = MySQLEndpoint("db", 3306, "u", "p", "first")
    two = MySQLEndpoint("db", 3306, "u", "p", "second")
    cache, cluster = RedisEndpoint("cache", 6379, ""), RedisEndpoint("durable", 6379, "")
    found = targets(
        {
            "mysql": LaneEndpoints("mysql", mysql=one),
            "cached": LaneEndpoints("cached", mysql=two, redis=cache),
            "durable": LaneEndpoints("durable", redis=cluster),
        },
        LOAD,
    )
    asked = {(target.endpoint.host, target.lanes): target.connections for target in found}
    # 4 writers, 8 readers, and one that reads the server's counters; the cache is only read.
    assert asked == {
        ("db", ("mysql",)): 28,
        ("db", ("cached",)): 28,
        ("cache", ("cached",)): 10,
        ("durable", ("durable",)): 14,
    }
    assert [target.cache for target in found if target.endpoint is cache] == [True]


# -------------------------------------------------------------------- this machine


def test_a_machine_in_order(tmp_path: Path) -> None:
    found = found_on_machine(directory=tmp_path)
    assert {check.status for check in found.values()} <= {Status.OK, Status.WARN}
    assert set(found) == {
        "libraries",
        "open files",
        "MariaDB program",
        "Redis program",
        "sandbox directory",
        "memory",
    }


def test_programs_that_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "SEARCH_DIRECTORIES", ())
    found = found_on_machine(directory=tmp_path)
    for name in ("MariaDB program", "Redis program"):
        assert found[name].problem == "program_missing"
        assert "install with: " in found[name].next_step


def test_a_program_that_does_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\nexit 127\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = found_on_machine(directory=tmp_path)
    assert found["Valkey program"].problem == "program_broken"
    assert str(program) in found["Valkey program"].finding


def test_a_sandbox_directory_that_cannot_be_used(tmp_path: Path) -> None:
    found = found_on_machine(directory=tmp_path / "absent")
    assert found["sandbox directory"].problem == "directory_unusable"
    assert "absent" in found["sandbox directory"].finding


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no memory file system here")
def test_a_sandbox_directory_in_memory() -> None:
    found = found_on_machine(directory=Path("/dev/shm"))["sandbox directory"]
    if found.problem == "disk_full":  # a small one is too small before it is no disk
        pytest.skip("/dev/shm is small")
    assert found.problem == "not_a_disk"
    assert "tmpfs" in found.finding


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "needed_bytes", lambda *_: 1 << 60)
    assert found_on_machine(directory=tmp_path)["sandbox directory"].problem == "disk_full"


def test_little_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: 1_100 << 20)
    monkeypatch.setattr(machine, "memory_limit_bytes", lambda: 1_200 << 20)
    monkeypatch.setattr(machine, "cpu_limit", lambda: 1.5)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    check = found_on_machine(directory=tmp_path)["memory"]
    assert (check.status, check.problem) == (Status.WARN, "little_memory")
    assert check.finding == (
        "1,153 MB of memory free for telemon (limit of the control group: 1,258 MB), 8 processors, 1.5 of them for "
        "telemon: buffer pools and cache will be 128 MiB each, not 256, for which 1,510 MB are needed"
    )
    assert check.next_step.endswith("or race fewer lanes (--lanes)")


@pytest.mark.parametrize(("processes", "needed"), [(1, "906"), (10, "2,718")])
def test_too_little_memory_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, processes: int, needed: str
) -> None:
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: 500 << 20)
    monkeypatch.setattr(machine, "memory_limit_bytes", lambda: None)
    settings = RaceConfig(
        writers=32, readers=32, processes=processes, sandbox=SandboxConfig(directory=tmp_path)
    )
    found = {check.name: check for check in machine.check_machine(settings)}["memory"]
    assert (found.status, found.problem) == (Status.FAIL, "too_little_memory")
    assert found.finding.startswith("524 MB of memory free for telemon, ")
    assert found.finding.endswith(f": the race with its private servers needs {needed} MB")


def test_memory_that_nobody_knows_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: None)
    check = found_on_machine(directory=tmp_path)["memory"]
    assert (check.status, check.problem) == (Status.OK, "")
    assert check.finding.startswith("free memory is not known, ")


def test_too_few_open_files_for_the_connections_of_the_race(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def found(limit: int, lanes: tuple[str, ...], writers: int, readers: int) -> Check:
        monkeypatch.setattr(machine, "raise_limit", lambda: limit)
        settings = RaceConfig(lanes=lanes, writers=writers, readers=readers)
        checks = {check.name: check for check in machine.check_machine(settings)}
        refused = ""
        try:
            require_files(settings, limit)
        except ConfigError as error:
            refused = str(error)
        # The doctor says what a race does, in the words of the race.
        assert (checks["open files"].problem == "too_few_files") is bool(refused)
        assert checks["open files"].finding in refused or not refused
        return checks["open files"]

    assert found(500, ("mysql",), 4, 8).problem == ""
    few = found(500, ("mysql",), 64, 64)
    assert "558 open files in one private server" in few.finding
    assert few.next_step == "raise the hard limit (ulimit -Hn)"
    assert found(1_000, ("mysql",), 300, 230).problem == ""
    assert found(200, ("durable",), 4, 64).next_step.endswith("or set more processes")


def test_the_disk_needs_room_for_the_preset_of_the_race(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = needed_bytes(("mysql", "cached", "durable")) + 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert found_on_machine(directory=tmp_path)["sandbox directory"].problem != "disk_full"
    deck = RaceConfig(preset="deck", sandbox=SandboxConfig(directory=tmp_path))
    found = {check.name: check for check in machine.check_machine(deck)}
    assert found["sandbox directory"].problem == "disk_full"


# -------------------------------------------------------------------- the command


def doctor(*argv: str, **environ: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, "doctor", *argv],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_command_says_the_same_as_text_and_as_json(tmp_path: Path) -> None:
    for where, code in ((tmp_path, 0), (tmp_path / "absent", 1)):
        text_code, text = doctor("--sandbox-directory", str(where))
        json_code, told = doctor("--sandbox-directory", str(where), "--json")
        assert text_code == json_code == code
        document = json.loads(told)
        assert document["schema"] == 1
        assert document["ok"] == (code == 0)
        listed = [
            line.split()[0]
            for line in text.splitlines()
            if line.startswith(("  OK", "  WARN", "  FAIL"))
        ]
        assert listed == [check["verdict"] for check in document["checks"]]
        for check in document["checks"]:
            assert (
                (check["verdict"] == "OK") == (check["problem"] == "") == (check["next_step"] == "")
            )


def on_terminal(size: tuple[int, int], environ: Mapping[str, str]) -> str:
    """What the doctor prints where its terminal is of that size."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    names = (
        "TERM",
        "COLORTERM",
        "COLUMNS",
        "LINES",
        "NO_COLOR",
        "LANG",
        "LC_ALL",
        "TMUX",
        "STY",
        "SSH_TTY",
    )
    kept = {name: value for name, value in os.environ.items() if name not in names}
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "doctor", "--lanes", "durable"],
        cwd=ROOT,
        env={**kept, **environ},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    with suppress(OSError):  # the end of a terminal's other side
        while more := os.read(master, 65_536):
            seen += more
    process.wait(20)
    os.close(master)
    return seen.decode()


@pytest.mark.parametrize(
    ("size", "environ", "said"),
    [
        ((120, 40), {"TERM": "xterm-256color", "LANG": "C.UTF-8"}, "OK xterm-256color, 120 x 40"),
        ((60, 20), {"TERM": "xterm-256color", "LANG": "C.UTF-8"}, "WARN 60 x 20 characters"),
        ((120, 40), {"TERM": "dumb", "LANG": "C.UTF-8"}, "WARN TERM is 'dumb'"),
        ((120, 40), {"TERM": "xterm", "PYTHONIOENCODING": "latin-1"}, "WARN iso8859-1"),
        (
            (120, 40),
            {"TERM": "xterm", "TMUX": "x"},
            "OK 16, 2 pictures per second, in tmux, screen or zellij",
        ),
        (
            (120, 40),
            {"TERM": "xterm", "SSH_TTY": "x"},
            "OK 16, 2 pictures per second, seen from afar",
        ),
        ((120, 40), {"TERM": "xterm"}, "OK set by --lanes"),
    ],
    ids=["in order", "small", "dumb", "not UTF-8", "tmux", "ssh", "settings"],
)
def test_terminals(size: tuple[int, int], environ: dict[str, str], said: str) -> None:
    seen = on_terminal(size, environ)
    verdict_said, _, words = said.partition(" ")
    (line,) = [line for line in seen.splitlines() if words in line]
    assert line.split()[0] == verdict_said
