"""Real servers for the tests: one sandbox for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from engines.model.lanes import LANES
from engines.sandbox.sandbox import Sandbox

# A busy machine makes no example wrong.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The servers of all three lanes, started once. Whoever stops one of them asks for `breakable` instead."""
    with Sandbox(LANES) as servers:
        yield servers
