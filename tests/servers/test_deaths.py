"""An engine process or a private server that dies is named at once, with when, how and why; and telemon exits 1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from engines.errors import RaceError
from engines.model.deaths import DeathCause, ServerDeath
from engines.race.engine_group import READY_TIMEOUT_S
from engines.race.race import Race
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from tests.servers.test_sandbox import node
from tests.servers.test_sandbox_faults import eventually
from tests.support.race_run import engine_pids, with_settings
from tests.support.terminal import Terminal
from tests.support.user_servers import CODE, ROOT, Done

DYING = """
import sys
name = sys.orig_argv[-1]
if "engines.process" in sys.orig_argv and name in ("cached/write", "cached/read", "durable/read"):
    import os
    from engines.ipc.channel import Channel
    send = Channel.send
    def dying(self, message):
        if os.path.exists({now!r}):
            if name == "cached/write":
                os._exit(0)
            if name == "durable/read":
                import ctypes
                ctypes.string_at(0)
            sys.stderr.write("x" * 20_000_000 + chr(10))
            raise MemoryError("of " + chr(27) + "[31m all" + "l" * 1_000)
        send(self, message)
    Channel.send = dying
"""
"""A sitecustomize.py, by which some engine processes die with a report once a file is there: without a word, by a fault
in C code, and with more words than anybody reads."""


@contextmanager
def started(tmp_path: Path, *argv: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A telemon on private servers below `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "run", *argv],
        cwd=ROOT,
        env={**os.environ, "TELEMON_SANDBOX_DIRECTORY": str(tmp_path), **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finished(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=90)
    return Done(process.returncode, out, err)


def await_race(process: subprocess.Popen[str]) -> str:
    """Return the first frame of a race that prints frames."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return line


def result_of(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return found


def child(process: subprocess.Popen[str], is_it: Callable[[list[str]], bool]) -> psutil.Process:
    """The process below telemon whose command line is as wanted."""
    (found,) = (
        each
        for each in psutil.Process(process.pid).children(recursive=True)
        if is_it(each.cmdline())
    )
    return found


def engine(process: subprocess.Popen[str], name: str) -> psutil.Process:
    return child(process, lambda words: "engines.process" in words and words[-1] == name)


def test_engines_that_die_in_every_way_are_named_and_the_others_go_on(tmp_path: Path) -> None:
    now = tmp_path / "now"
    (tmp_path / "sitecustomize.py").write_text(DYING.format(now=str(now)))
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    argv = ("--duration", "4s", "--warmup", "0", "--format", "jsonl", "--processes", "2")
    with started(tmp_path, *argv, PYTHONPATH=path, PYTHONFAULTHANDLER="1") as process:
        await_race(process)
        # Found before any of them dies.
        reader, writer = engine(process, "mysql/read-2"), engine(process, "durable/write")
        now.touch()
        reader.send_signal(signal.SIGKILL)
        writer.send_signal(signal.SIGABRT)
        done = finished(process)
    assert done.code == 1
    result = result_of(done)
    deaths = {(each["lane"], each["role"], each["number"]): each for each in result["deaths"]}
    assert {
        who: (each["signal"], each["exit_status"], each["cause"]) for who, each in deaths.items()
    } == {
        ("mysql", "read", 2): ("SIGKILL", None, None),
        ("durable", "write", 1): ("SIGABRT", None, None),
        ("durable", "read", 1): ("SIGSEGV", None, None),
        ("cached", "read", 1): (None, 1, None),
        ("cached", "write", 1): (None, 0, None),
    }
    assert all(each["process"] == "engine" and each["server"] is None for each in deaths.values())
    assert all(each["at"].endswith("Z") for each in deaths.values())
    assert deaths["mysql", "read", 2]["last_words"] == []
    assert deaths["durable", "write", 1]["last_words"] == ["Fatal Python error: Aborted"]
    assert deaths["durable", "read", 1]["last_words"] == ["Fatal Python error: Segmentation fault"]
    (words,) = deaths["cached", "read", 1]["last_words"]
    assert words.startswith("MemoryError: of \\x1b[31m all")
    assert len(words) == 300
    # Said when it happens, and once more at the end.
    for each in deaths.values():
        assert done.err.count(each["text"].partition(" died ")[0]) == 2
    events = [
        event["text"] for line in done.out.splitlines()[:-1] for event in json.loads(line)["events"]
    ]
    assert "engine mysql/read number 2 died: killed by signal 9 (SIGKILL)" in events
    # The engines that are left have gone on.
    frames = [json.loads(line) for line in done.out.splitlines()[:-1]]
    died_s = deaths["mysql", "read", 2]["elapsed_s"]
    later = [frame["lanes"] for frame in frames if frame["elapsed_s"] > died_s]
    for role in ("write", "read"):
        of_mysql = (lane for lanes in later for lane in lanes if lane["id"] == "mysql")
        assert sum(lane[role]["rows"] for lane in of_mysql) > 0
    assert {lane["state"] for lane in later[-1]} == {"down"}


def test_an_engine_that_hangs_at_the_end_is_killed_and_named(tmp_path: Path) -> None:
    argv = ("--duration", "2s", "--warmup", "0", "--format", "jsonl", "--lanes", "durable")
    with started(tmp_path, *argv) as process:
        await_race(process)
        engine(process, "durable/read").send_signal(signal.SIGSTOP)
        done = finished(process)
    assert done.code == 1
    (death,) = result_of(done)["deaths"]
    assert (death["role"], death["cause"]) == ("read", "hung")
    assert "engine durable/read number 1 died: it did not end when it was told to" in done.err


def test_a_private_server_that_is_killed_is_named_at_once_in_the_heat_of_another(
    tmp_path: Path,
) -> None:
    argv = ("--heats", "--rounds", "1", "--duration", "2s", "--warmup", "0", "--format", "jsonl")
    with started(tmp_path, *argv, "--lanes", "cached,mysql") as process:
        await_race(process)
        cache = child(process, lambda words: words[0].endswith(":0") or "redis-server" in words[0])
        began_s = time.monotonic()
        cache.kill()
        assert process.stderr is not None
        while "Redis cache" not in (line := process.stderr.readline()) or "died" not in line:
            assert line
        # With the next frame, of which there is one a second.
        assert time.monotonic() - began_s < 2.5
        done = finished(process)
    assert line.startswith(
        "telemon: cached: Redis cache for lane cached (cache) died: killed by signal 9 (SIGKILL): "
    )
    assert "Ready to accept connections" in line
    assert done.code == 1
    (death,) = result_of(done)["deaths"]
    assert death["process"] == "server"
    assert (death["server"], death["lane"], death["role"]) == ("cache", "cached", None)
    assert (death["signal"], death["exit_status"], death["cause"]) == ("SIGKILL", None, None)
    assert any("Ready to accept connections" in words for words in death["last_words"])
    lanes = {lane["id"]: lane for lane in result_of(done)["lanes"]}
    assert lanes["mysql"]["read"]["rows"] > 0
    assert list(tmp_path.iterdir()) == []


def last_death(servers: Sandbox, before: int) -> ServerDeath:
    """The one death since there were `before`."""
    eventually(lambda: len(servers.deaths) > before, within_s=20)
    (death,) = servers.deaths[before:]
    return death


@pytest.mark.parametrize("how", ["SHUTDOWN NOSAVE", "SIGSEGV"])
def test_a_server_that_ends_by_itself_has_died_too(breakable: Sandbox, how: str) -> None:
    before = len(breakable.deaths)
    if how == "SIGSEGV":
        os.kill(breakable.servers["cache"].pid, signal.SIGSEGV)
    else:
        client: Any = node(breakable, "cache")
        with pytest.raises(redis.ConnectionError):
            client.execute_command(*how.split())
    death = last_death(breakable, before)
    assert death.cause is None
    text = " / ".join(death.last_lines)
    if how == "SIGSEGV":
        assert death.end.signal_name == "SIGSEGV"
        assert "crashed by signal: 11" in text
    else:
        assert death.end.status == 0
        assert "bye bye" in text


def test_a_mariadb_that_crashes_says_so(breakable: Sandbox) -> None:
    before = len(breakable.deaths)
    os.kill(breakable.servers["mysql"].pid, signal.SIGSEGV)
    death = last_death(breakable, before)
    assert death.end.signal_name in ("SIGSEGV", "SIGABRT")
    assert "got signal 11" in " / ".join(death.last_lines)
    assert len(death.last_lines) <= 3


def test_out_of_memory_is_known_from_the_log(breakable: Sandbox) -> None:
    """A Redis that may have no more address space."""
    before = len(breakable.deaths)
    process = psutil.Process(breakable.servers["cache"].pid)
    if not hasattr(process, "rlimit"):
        pytest.skip("needs prlimit(2)")
    limit = process.memory_info().vms + 50_000_000
    process.rlimit(psutil.RLIMIT_AS, (limit, limit))
    with pytest.raises(redis.RedisError):
        node(breakable, "cache").setrange("big", 500_000_000, "x")
    death = last_death(breakable, before)
    assert death.cause is DeathCause.OUT_OF_MEMORY
    assert "Redis aborting for OUT OF MEMORY" in " / ".join(death.last_lines)


def test_a_file_that_may_not_grow_ends_a_node(tmp_path: Path) -> None:
    """The signal is named, as for any other: SIGXFSZ (setrlimit(2)), or what the node says of it."""
    with Sandbox(["durable"], directory=tmp_path) as servers:
        process = psutil.Process(servers.servers["durable-1"].pid)
        if not hasattr(process, "rlimit"):
            pytest.skip("needs prlimit(2)")
        process.rlimit(psutil.RLIMIT_FSIZE, (4096, 4096))
        with pytest.raises(redis.RedisError):
            node(servers, "durable-1").set("b", "x" * 8192)
        eventually(lambda: servers.deaths, within_s=10)
        (death,) = servers.deaths
    assert death.end.signal_name == "SIGXFSZ" or death.cause is DeathCause.NO_SPACE


def in_small_file_system(directory: Path, size: str, command: list[str]) -> list[str]:
    """The command that runs `command` with a file system of `size` on `directory`, which nobody else sees."""
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size={size} tmpfs '{directory}' && exec \"$@\""
    words = [unshare or "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if (
        unshare is None
        or subprocess.run([*words, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs a mount namespace (unshare --user --mount)")
    return [*words, *command]


def test_a_full_disk_is_named_as_the_cause(tmp_path: Path) -> None:
    """The race itself fills it, and the node, which must have every write on disk, gives up."""
    argv = [sys.executable, "-c", CODE, "run", "--lanes", "durable", "--duration", "6s"]
    command = in_small_file_system(tmp_path, "16m", [*argv, "--warmup", "0", "--format", "jsonl"])
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TELEMON_SANDBOX_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    deaths = json.loads(ran.stdout.splitlines()[-1])["deaths"]
    assert deaths
    for death in deaths:
        assert death["cause"] == "no_space"
        assert any("AOF" in words for words in death["last_words"])
        assert (
            f"({death['server']}) died: no space was left on its disk, exit status 1: "
            in ran.stderr
        )


def test_a_killed_supervisor_is_named_as_the_cause(tmp_path: Path) -> None:
    argv = ("--duration", "4s", "--warmup", "0", "--format", "jsonl", "--lanes", "cached")
    with started(tmp_path, *argv) as process:
        await_race(process)
        child(process, lambda words: "engines.sandbox.supervisor" in words).kill()
        done = finished(process)
    assert done.code == 1
    deaths = result_of(done)["deaths"]
    assert {death["server"] for death in deaths} == {"cached-mysql", "cache"}
    assert {death["cause"] for death in deaths} == {"supervisor_died"}
    assert "the process that keeps the sandbox was killed, and its servers with it" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("when", ["making the tables", "connecting", "measuring"])
def test_a_server_that_dies_before_the_race_is_the_reason_given(tmp_path: Path, when: str) -> None:
    """With what telemon could not do then. Where it needed the server no more, the race begins and has the death."""
    with Sandbox(["durable"], directory=tmp_path) as servers:

        def heard(text: object) -> None:
            if str(text).startswith(when):
                for name in servers.servers:
                    os.kill(servers.servers[name].pid, signal.SIGKILL)
                eventually(lambda: len(servers.deaths) == 3)

        settings = with_settings(lanes=("durable",), duration_s=0.5)
        race = Race(settings, sandbox=servers, on_progress=heard)
        if when == "measuring":
            with race:
                events = [event for frame in race.frames() for event in frame.events]
            deaths = [event.death for event in events if isinstance(event.death, ServerDeath)]
            assert {death.server for death in deaths} == set(servers.servers)
            return
        began_s = time.monotonic()
        with pytest.raises(RaceError, match=r"died: killed by signal 9 \(SIGKILL\)") as failed:
            race.__enter__()
        assert "\n" not in str(failed.value)
        # At once, and not when the connections have had their time.
        assert time.monotonic() - began_s < READY_TIMEOUT_S - 3


def test_an_engine_that_dies_before_the_race_is_named(sandbox: Sandbox) -> None:
    race: Race

    def heard(text: object) -> None:
        if str(text).startswith("connecting"):
            os.kill(engine_pids(race)["durable/read"], signal.SIGKILL)

    race = Race(with_settings(lanes=("durable",)), sandbox=sandbox, on_progress=heard)
    died = r"engine durable/read number 1 died: killed by signal 9 \(SIGKILL\)"
    with pytest.raises(RaceError, match=died):
        race.__enter__()


def test_deaths_of_servers_in_an_earlier_race_are_not_this_one_s(breakable: Sandbox) -> None:
    os.kill(breakable.servers["cache"].pid, signal.SIGKILL)
    eventually(lambda: "cache" in breakable.down())
    breakable.start_server("cache")
    with Race(with_settings(lanes=("cached",), duration_s=0.3), sandbox=breakable) as race:
        summary = Summary(with_settings(lanes=("cached",)), race.lane_infos, race.environment)
        for frame in race.frames():
            summary.add(frame)
    assert summary.deaths == []


def test_deaths_are_on_the_screen_at_once_and_telemon_exits_1(tmp_path: Path) -> None:
    environ = {**os.environ, "TELEMON_SANDBOX_DIRECTORY": str(tmp_path)}
    argv = ("--warmup", "0s", "--lanes", "durable")
    with Terminal(argv, environ, tmp_path) as terminal:
        terminal.read_until("racing")
        (telemon,) = (
            each
            for each in psutil.Process().children(recursive=True)
            if "tests.support.pty_telemon" in each.cmdline()
        )
        engines = [each for each in telemon.children() if each.cmdline()[-1] == "durable/read"]
        servers = [
            each for each in telemon.children(recursive=True) if each.name() == "redis-server"
        ]
        engines[0].kill()
        terminal.read_until("engine durable/read number 1 died", within_s=5)
        servers[0].kill()
        terminal.read_until("Redis cluster node", within_s=5)
        terminal.press("q")
        terminal.read_to_the_end()
    assert "died: engine durable/read number 1 died at" in terminal.seen
    assert terminal.process.returncode == 1
