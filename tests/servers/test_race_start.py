"""What keeps a race from starting is said in one line, and leaves nothing behind."""

from __future__ import annotations

import resource
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
def test_engines_that_cannot_be_started_are_no_race_and_none_is_left(left: int) -> None:
    """The first lacks its sockets or its pipe, or one after it does."""
    before, children = opened(), psutil.Process().children()
    race = Race(config.RaceConfig())
    with descriptors_left(left), pytest.raises(RaceError) as refused:
        race.__enter__()
    said = str(refused.value)
    assert said.startswith("the engine processes cannot be started: Too many open files")
    assert "ulimit -n" in said
    assert opened() == before
    assert psutil.Process().children() == children


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
