"""Real servers for the tests: one sandbox for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engines.frame import LANES
from engines.sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The servers of all three lanes, started once. Whoever stops one of them asks for `breakable` instead."""
    with Sandbox(LANES) as servers:
        yield servers
