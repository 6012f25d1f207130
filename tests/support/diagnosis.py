"""What the doctor says of one endpoint."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from engines.doctor import clock
from engines.doctor.check import Check, Status
from engines.doctor.mysql import checks as mysql
from engines.doctor.redis import checks as redis
from engines.doctor.target import Target
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint

AT_TIMES = frozenset({"far_away"})
"""What a machine that is busy with other things may bring about."""


@dataclass(frozen=True)
class Diagnosis:
    """All checks of one endpoint."""

    checks: tuple[Check, ...]

    @property
    def problems(self) -> list[str]:
        """What failed and what is warned of, in this order."""
        worst = sorted(self.checks, key=lambda check: check.status is not Status.FAIL)
        return [c.problem for c in worst if c.problem and c.problem not in AT_TIMES]

    @property
    def failed(self) -> Check:
        (check,) = [check for check in self.checks if check.status is Status.FAIL]
        assert check is self.checks[-1], "something came after the check that failed"
        assert check.next_step
        return check

    def named(self, name: str) -> Check:
        (check,) = [check for check in self.checks if check.name == name]
        return check


def diagnose(
    endpoint: MySQLEndpoint | RedisEndpoint,
    *,
    connections: int = 13,
    batch: int = 100,
    cache: bool = True,
) -> Diagnosis:
    """Look at `endpoint`. A Redis is a cache unless it is said not to be."""
    if isinstance(endpoint, MySQLEndpoint):
        return Diagnosis(tuple(mysql.check_mysql(Target(endpoint, ("mysql",), connections, batch))))
    lane = "cached" if cache else "durable"
    return Diagnosis(tuple(redis.check_redis(Target(endpoint, (lane,), connections, batch, cache))))


CLOCKS = pytest.mark.parametrize(
    ("ahead_s", "problems"),
    [(-50.0, []), (50.0, []), (-400.0, ["clock_off"]), (70.0, ["clock_off"])],
)
"""How far a clock may be off before it is a problem."""


def check_clock(
    endpoint: MySQLEndpoint | RedisEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    ahead_s: float,
    problems: list[str],
) -> None:
    """Shift this machine's clock, as the doctor sees it: the server's is the true one."""
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: time.time() + ahead_s))
    found = diagnose(endpoint)
    assert found.problems == problems
    said = found.named("clock").finding
    assert ("behind the server's" if ahead_s < 0 else "ahead of the server's") in said
    (told_s,) = re.findall(r"[0-9]+\.[0-9]", said)
    assert abs(float(told_s) - abs(ahead_s)) < 5
