"""What the doctor says of one endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from engines.doctor import mysql, redis
from engines.doctor.check import Check, Verdict
from engines.doctor.subject import Subject
from engines.endpoint import MySQLEndpoint, RedisEndpoint

AT_TIMES = frozenset({"far_away"})
"""What a machine that is busy with other things may bring about."""


@dataclass(frozen=True)
class Diagnosis:
    """All checks of one endpoint."""

    checks: tuple[Check, ...]

    @property
    def problems(self) -> list[str]:
        """What failed and what is warned of, in this order."""
        worst = sorted(self.checks, key=lambda check: check.verdict is not Verdict.FAIL)
        return [c.problem for c in worst if c.problem and c.problem not in AT_TIMES]

    @property
    def failed(self) -> Check:
        (check,) = [check for check in self.checks if check.verdict is Verdict.FAIL]
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
        return Diagnosis(tuple(mysql.examine(Subject(endpoint, ("mysql",), connections, batch))))
    lane = "cached" if cache else "durable"
    return Diagnosis(tuple(redis.examine(Subject(endpoint, (lane,), connections, batch, cache))))
