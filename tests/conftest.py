"""Real servers for the tests: one sandbox for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from engines.model.lanes import LANES
from engines.sandbox.sandbox import Sandbox

# A busy machine makes no example wrong.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


SERVERS = Path(__file__).parent / "servers"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start servers, so that `-m` can leave them out."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        real = item.path.is_relative_to(SERVERS) or "real_race" in item.path.name
        if real or "sandbox" in fixtures:
            item.add_marker("needs_mysql")
            item.add_marker("needs_redis")


PRODUCTS = {"TELEMON_TEST_MYSQLD": "mariadbd", "TELEMON_TEST_REDIS_SERVER": "valkey-server"}
"""Variable with the path of a server program -> name under which telemon looks for such a program first."""


@pytest.fixture(scope="session", autouse=True)
def products_under_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have this process and its children find the servers that the environment names, before those installed."""
    named = {name: Path(os.environ[name]) for name in PRODUCTS if os.environ.get(name)}
    if not named:
        yield
        return
    directory = tmp_path_factory.mktemp("products")
    for variable, program in named.items():
        assert os.access(program, os.X_OK), f"{variable} = {program}: it cannot be executed"
        (directory / PRODUCTS[variable]).symlink_to(program.absolute())
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{directory}{os.pathsep}{before}"
    yield
    os.environ["PATH"] = before


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The servers of all three lanes, started once. Whoever stops one of them asks for `breakable` instead."""
    with Sandbox(LANES) as servers:
        yield servers
