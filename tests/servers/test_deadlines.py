"""Servers that drip their answers: every phase has an end that is said, and every way of ending works in each phase."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.backends.redis.client import seed
from engines.provisioning.seed import SEED_VERSION
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from tests.support import stopwatch
from tests.support.hostile_servers import (
    HOST,
    MYSQL_DRIP,
    REDIS_DRIP,
    HostileServer,
    hostile_server,
    relay_then_drip,
)
from tests.support.stopwatch import Stopwatch, own_time_s
from tests.support.terminal import Terminal
from tests.support.user_servers import CODE, ROOT, Done

END_WITHIN_S = 1.0
"""Ending may take a second, without the time for which the machine had no processor for it (`Stopwatch`)."""

ON_ANY_MACHINE_S = 5.0
"""What it may take however busy the machine is: a server that is waited for takes longer than that."""


def assert_ended_soon(watch: Stopwatch) -> None:
    assert watch.own_s < END_WITHIN_S
    assert watch.elapsed_s < ON_ANY_MACHINE_S


@pytest.mark.parametrize(
    ("some_s", "waited_s", "own_s"),
    [
        (None, 1.5, 2.0),
        (0.1, 1.5, 2.0),
        # What others waited for is no excuse, nor is what many threads waited for at once.
        (1.5, 0.2, 1.8),
        (1.5, 9.0, 0.5),
        (2.5, 9.0, 0.0),
    ],
)
def test_only_what_telemon_waited_for_on_a_busy_machine_does_not_count(
    some_s: float | None, waited_s: float, own_s: float
) -> None:
    assert own_time_s(2.0, some_s, waited_s) == pytest.approx(own_s)


def test_an_ending_that_is_late_is_found_out_without_pressure_and_beside_a_busy_stranger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pressures = iter([None, None, 0.0, 1.5])
    monkeypatch.setattr(stopwatch, "_pressure_s", lambda: next(pressures))
    for _ in range(2):
        watch = Stopwatch()
        watch._began_s -= 2.0
        with pytest.raises(AssertionError):
            assert_ended_soon(watch)


HURRIED = f"""
import engines.backends.mysql.client as mysql, engines.backends.redis.connection as redis
import engines.endpoints.deadline as deadline
import engines.doctor.doctor as doctor
import tui.cli.prepare as prepare
mysql.OPEN_LIMIT_S = redis.OPEN_LIMIT_S = 3.0
deadline.PHASE_S = prepare.PHASE_S = doctor.CHECK_LIMIT_S = 2.0
{CODE}
"""
"""Telemon with shorter limits."""

ENDED_BY = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def configuration(
    directory: Path, lane: str, port: int, password: str = "secret", user: str | None = None
) -> Path:
    """A file that names a server for the one lane that races."""
    words = [
        f'lanes = ["{lane}"]',
        f"[{lane}]",
        f'host = "{HOST}"',
        f"port = {port}",
        "tls = false",
    ]
    if lane == "mysql":
        words += ['user = "telemon"', 'database = "telemon"']
    if user is not None:
        words.append(f'user = "{user}"')
    if password:
        words.append(f'password = "{password}"')
    path = directory / "config.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join(words) + "\n")
    return path


def started(config: Path, *argv: str, code: str = CODE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *argv, "--config", str(config)],
        cwd=ROOT,
        env=os.environ | {"HOME": str(config.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(config: Path, *argv: str, code: str = CODE) -> Done:
    with started(config, *argv, code=code) as process:
        out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err)


def wait_for_connection(server: HostileServer) -> None:
    until_s = time.monotonic() + 20
    while not server.accepted_s:
        assert time.monotonic() < until_s, "telemon never connected"
        time.sleep(0.02)


@pytest.fixture
def dripping(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Path, HostileServer]]:
    answer = MYSQL_DRIP if request.param == "mysql" else REDIS_DRIP
    with hostile_server(answer) as server:
        yield configuration(tmp_path, request.param, server.port), server


@pytest.mark.parametrize(
    ("dripping", "command", "number"),
    [
        ("mysql", "run", signal.SIGINT),
        ("mysql", "run", signal.SIGTERM),
        ("mysql", "run", signal.SIGHUP),
        ("durable", "run", signal.SIGINT),
        ("durable", "doctor", signal.SIGINT),
        ("mysql", "doctor", signal.SIGTERM),
        ("durable", "prepare", signal.SIGINT),
        ("mysql", "clean", signal.SIGINT),
    ],
    indirect=["dripping"],
)
def test_every_signal_ends_every_command_while_a_server_drips(
    dripping: tuple[Path, HostileServer], command: str, number: signal.Signals
) -> None:
    config, server = dripping
    with started(config, command) as process:
        wait_for_connection(server)
        time.sleep(0.2)
        watch = Stopwatch()
        process.send_signal(number)
        try:
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert_ended_soon(watch)
    # A command that only looks or asks is ended by the signal itself.
    assert process.returncode in (ENDED_BY[number], -number)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("dripping", "command", "phase"),
    [
        ("mysql", "run", "looking at the servers that are configured, MySQL at"),
        ("durable", "run", "looking at the servers that are configured, Redis at"),
        ("mysql", "doctor", "this check: not over after"),
        ("durable", "doctor", "this check"),
        ("durable", "prepare", "looking at the servers, Redis at"),
        ("mysql", "clean", "looking at the servers, MySQL at"),
    ],
    indirect=["dripping"],
)
def test_a_server_that_drips_is_given_up_by_name_and_so_is_the_phase(
    dripping: tuple[Path, HostileServer], command: str, phase: str
) -> None:
    config, server = dripping
    ended = done(config, command, code=HURRIED)
    said = ended.out + ended.err
    assert ended.code == 1
    assert server.address.rpartition(":")[2] in said
    one_line = " ".join(said.split())  # the doctor folds its lines
    assert phase in one_line
    assert "in all" in one_line
    assert "the server answers too slowly" in one_line
    assert "Traceback" not in said


PASSED_BYTES = (90, 4_000, 1_000_000)
"""So much of its answers a Redis gives before it drips: the start is in another phase then."""


@pytest.mark.parametrize("passed_bytes", PASSED_BYTES)
def test_a_server_that_begins_to_drip_later_is_given_up_and_does_not_keep_anybody(
    sandbox: Sandbox, tmp_path: Path, passed_bytes: int
) -> None:
    """The cache of the sandbox, as a store of one's own: each connection drips after its first answers."""
    cache = sandbox.endpoints["cached"].redis
    assert cache is not None
    seed(cache, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    with hostile_server(relay_then_drip(cache.port, passed_bytes)) as server:
        config = configuration(tmp_path, "durable", server.port, cache.password)
        with started(config, "run", "--duration", "30s") as process:
            wait_for_connection(server)
            time.sleep(1.5)
            watch = Stopwatch()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        assert_ended_soon(watch)
        assert process.returncode in (130, 1)
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("dripping", "key_or_signal"),
    [
        ("mysql", "q"),
        ("durable", "q"),
        ("mysql", signal.SIGTERM),
        ("durable", signal.SIGHUP),
        ("mysql", signal.SIGINT),
    ],
    indirect=["dripping"],
)
def test_the_screen_is_left_at_once_while_a_server_drips(
    dripping: tuple[Path, HostileServer], key_or_signal: str | signal.Signals
) -> None:
    config, server = dripping
    environ = {"HOME": str(config.parent), "PYTHONPATH": str(ROOT)}
    with Terminal(("--config", str(config)), environ, config.parent) as terminal:
        wait_for_connection(server)
        terminal.drain(0.7)
        watch = Stopwatch()
        if isinstance(key_or_signal, str):
            terminal.press(key_or_signal)
        else:
            terminal.process.send_signal(key_or_signal)
        code, _ = terminal.result(30)
    assert_ended_soon(watch)
    assert code == (0 if isinstance(key_or_signal, str) else ENDED_BY[key_or_signal])
