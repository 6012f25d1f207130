"""What keeps a race from starting is said in one line, and leaves nothing behind."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path

import psutil
import pytest

from engines.config import race_config as config
from engines.config.errors import ConfigError
from engines.config.settings import SandboxConfig
from engines.errors import RaceError
from engines.model.lanes import LANES
from engines.race import race
from engines.race.race import Race
from engines.sandbox.errors import PortInUse
from engines.sandbox.sandbox import Sandbox

DESCRIPTORS = Path("/proc/self/fd")


def opened() -> set[int]:
    """This process's descriptors, but for the one to look with."""
    return {int(at.name) for at in tuple(DESCRIPTORS.iterdir()) if at.exists()}


@contextmanager
def descriptors_left(number: int) -> Iterator[None]:
    """A limit of so many descriptors more than there are."""
    taken = opened()
    free = (descriptor for descriptor in count() if descriptor not in taken)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next(islice(free, number, None)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts descriptors in /proc")
@pytest.mark.parametrize("left", [1, 3, 5, 10, 15])
def test_engines_that_cannot_be_started_are_no_race_and_none_is_left(
    left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lacks its sockets or its pipe, or one after it does: others of this process took the files."""
    monkeypatch.setattr(race, "raise_limit", lambda: None)
    before, children = opened(), psutil.Process().children()
    starting = Race(config.RaceConfig())
    with descriptors_left(left), pytest.raises(RaceError) as refused:
        starting.__enter__()
    said = str(refused.value)
    assert said.startswith("the engine processes cannot be started: Too many open files")
    assert "ulimit -n" in said
    assert opened() == before
    assert psutil.Process().children() == children


CODE = (
    "import resource, sys; from tui.cli.main import run; "
    "resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv.pop(1).split(',')))); sys.exit(run())"
)
"""Code of a telemon with a soft and a hard limit of open files."""


def telemon(limits: str, *argv: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE, limits, *argv],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--writers", "400"], "--writers 400: needs 1,264 open files in one engine process"),
        (["--readers", "1024", "--lanes", "mysql"], "--readers 1024: needs 1,088 open files"),
        (["--writers", "300", "--readers", "300"], "--readers 300: need 1,030 open files in one private server"),
        pytest.param(
            ["--writers", "64", "--readers", "64", "--processes", "64", "--lanes", "cached"], "",
            marks=pytest.mark.soak,
        ),
    ],
)  # fmt: skip
def test_connections_that_do_not_fit_the_hard_limit_are_refused_before_the_start(
    argv: list[str], said: str
) -> None:
    done = telemon("256,1000", "run", *argv, "--duration", "0.2s", "--warmup", "0")
    if not said:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "a process may have 1,000 files open on this machine" in line
    assert " would fit; " in line


@pytest.mark.parametrize(
    ("lane", "each", "duration"),
    [
        ("mysql", "300", "1s"),
        *(pytest.param(lane, "1024", "6s", marks=pytest.mark.soak) for lane in LANES),
    ],
)
def test_private_servers_take_as_many_writers_and_readers_as_there_can_be(
    lane: str, each: str, duration: str
) -> None:
    """From a shell with the soft limit of macOS.

    Without a warm-up, which would discard the first operations: hundreds of a MariaDB's threads on two processors may
    complete few after these. A SELECT spins until the transaction id that an INSERT has taken is published, and the
    INSERT waits for a processor that those who spin have.
    """
    argv = ("--lanes", lane, "--writers", each, "--readers", each, "--batch", "1")
    done = telemon(
        "256,20000", "run", *argv, "--duration", duration, "--warmup", "0", "--format", "json",
        timeout_s=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (raced,) = json.loads(done.stdout)["lanes"]
    for role in ("write", "read"):
        assert raced[role]["operations"] > 0
        # On a busy machine some of so many are not done at the end.
        assert raced[role]["errors"].keys() <= {"unfinished"}


@pytest.mark.parametrize(("port", "kind"), [(None, RaceError), (12_000, ConfigError)])
def test_ports_are_a_wrong_setting_only_where_they_were_set(
    port: int | None, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(_: Sandbox) -> None:
        raise PortInUse("no six free ports")

    monkeypatch.setattr(Sandbox, "start", taken)
    settings = config.RaceConfig(lanes=("mysql",), sandbox=SandboxConfig(port=port))
    with pytest.raises(kind, match="six free ports"), Race(settings):
        pass
