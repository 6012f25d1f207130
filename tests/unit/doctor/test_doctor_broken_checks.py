"""The doctor goes on when one examination breaks off."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engines.config import race_config as config
from engines.doctor import doctor
from engines.doctor.check import Check, CheckRunner, Status
from engines.doctor.mysql import checks as mysql
from engines.doctor.redis import checks as redis
from engines.doctor.target import Target
from engines.endpoints.credential_sources import SecretError
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> config.RaceConfig:
    """A race on a MySQL and a Redis where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    own = {
        "mysql": LaneEndpoints("mysql", MySQLEndpoint("127.0.0.1", port, "u", "p", "d")),
        "durable": LaneEndpoints("durable", redis=RedisEndpoint("127.0.0.1", port, "p")),
    }
    monkeypatch.setattr(config.RaceConfig, "endpoints", property(lambda _: own))
    return replace(config.RaceConfig(), lanes=("mysql", "durable"))


@pytest.mark.parametrize(
    ("error", "problem", "said"),
    [
        (SecretError("the command exited with 1"), "no_secret", "the command exited with 1"),
        (KeyError("hunter2"), "unexpected", f"KeyError in {Path(__file__).name}"),
        (ExceptionGroup("hunter2", [ValueError("hunter2")]), "unexpected", "ExceptionGroup in"),
    ],
)
def test_an_examination_that_breaks_off_is_a_failed_check(
    settings: config.RaceConfig,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    problem: str,
    said: str,
) -> None:
    def breaks(target: Target[MySQLEndpoint]) -> Iterator[Check]:
        yield CheckRunner(target.title).ok("name", "found")
        raise error

    monkeypatch.setattr(mysql, "check_mysql", breaks)
    checks = [check for check in doctor.run_checks(settings) if check.endpoint]
    broken = [check for check in checks if check.problem == problem]
    assert len(broken) == 1
    assert broken[0].status is Status.FAIL
    assert broken[0].endpoint.startswith("MySQL 127.0.0.1:")
    assert said in broken[0].finding
    assert broken[0].next_step
    assert not any("hunter2" in check.finding for check in checks)
    # What it had found is kept, and the other server was looked at.
    assert next(check.name for check in checks if check.endpoint == broken[0].endpoint) == "name"
    assert any(check.endpoint.startswith("Redis 127.0.0.1:") for check in checks)


def test_a_server_is_called_by_its_product_in_every_check(
    settings: config.RaceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The product is known after the sign-in: the checks before it and one that breaks off are of the same server."""

    def breaks(target: Target[RedisEndpoint]) -> Iterator[Check]:
        runner = CheckRunner(target.title)
        yield runner.ok("authentication", "signed in")
        runner.endpoint = runner.endpoint.replace("Redis", "Valkey")
        yield runner.ok("product", "Valkey 9.1.2")
        raise KeyError

    monkeypatch.setattr(redis, "check_redis", breaks)
    checks = [check for check in doctor.run_checks(settings) if "durable" in check.endpoint]
    assert [check.name for check in checks] == ["authentication", "product", "examination"]
    assert {check.endpoint.partition(" ")[0] for check in checks} == {"Valkey"}
