"""Servers that keep silent about their cluster mode, or are not to be asked: doctor and race take them for the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from redis import Redis

from engines.backends.redis.client import address_of, client, seed
from engines.config.race_config import RaceConfig
from engines.config.server_config import RedisConfig
from engines.doctor.check import Status
from engines.doctor.redis.permissions import command
from engines.endpoints.endpoint import RedisEndpoint
from engines.errors import RaceError
from engines.provisioning import clean, prepare
from engines.provisioning.leases import RaceLeases
from engines.provisioning.seed import SEED_VERSION
from engines.race.servers import make_ready
from engines.results.caveat_text import caveat_sentences
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from tests.servers.test_deadlines import configuration
from tests.servers.test_optional_commands import notes_of, result_of
from tests.support.diagnosis import Diagnosis, diagnose
from tests.support.race_run import SHORT
from tests.support.restricted_user import PASSWORD, USER, drop_redis_user, make_redis_user
from tests.support.sparse_servers import redis_without

ASSUMED = "refuses CLUSTER SLOTS"
"""Part of the word about a server that was taken for one in no cluster."""


Mode = Literal["auto", "on", "off"]


def told(at: RedisEndpoint, mode: Mode) -> RaceConfig:
    """Settings with lane durable on `at`, whose cluster mode they give as `mode`."""
    backend = RedisConfig(
        host=at.host, port=at.port, user=at.user, password=at.password, tls=False, cluster=mode
    )
    return replace(SHORT, lanes=("durable",), durable=backend)


def looked_at(settings: RaceConfig) -> Diagnosis:
    """What the doctor finds."""
    (lane,) = settings.endpoints.values()
    assert lane.redis is not None
    return diagnose(lane.redis, cache=False)


def failures(settings: RaceConfig) -> list[str]:
    """The problems by which the doctor says that a race cannot be run."""
    checks = looked_at(settings).checks
    return [check.problem for check in checks if check.status is Status.FAIL]


def begun(settings: RaceConfig) -> list[str]:
    """Get everything ready for a race, up to its first operation. Return the words about it; raises RaceError."""
    with ExitStack() as closing:
        leases = RaceLeases(lambda *_: None)
        closing.callback(leases.close)
        ready = make_ready(settings, None, lambda _: None, closing, leases)
        return list(caveat_sentences(ready.environment.caveats))


def fill(at: RedisEndpoint) -> None:
    seed(replace(at, cluster=False), HOT_KEYS, TelemetryPool(1), SEED_VERSION)


@pytest.fixture
def cache(sandbox: Sandbox) -> RedisEndpoint:
    """A Redis of its own, with the hot cars in it."""
    at = sandbox.endpoints["cached"].redis
    assert at is not None
    fill(at)
    return at


@pytest.fixture
def admin(cache: RedisEndpoint) -> Iterator[Redis]:
    with client(address_of(cache), cache) as node:
        yield node


@pytest.fixture
def barred(cache: RedisEndpoint) -> Iterator[RedisEndpoint]:
    """The same, for a user who may do everything but ask for the cluster."""
    make_redis_user(cache, ["on", "~telemon:*", "+@all", "-cluster"])
    yield replace(cache, user=USER, password=PASSWORD)
    drop_redis_user(cache)


def cluster_calls(admin: Redis) -> dict[str, Any]:
    """The CLUSTER commands that the server was given, those that it refused included."""
    stats: dict[str, Any] = admin.info("commandstats")
    return {name: calls for name, calls in stats.items() if name.startswith("cmdstat_cluster")}


@pytest.mark.parametrize("mode", ["off", "auto"])
def test_off_sends_no_cluster_command(
    cache: RedisEndpoint, admin: Redis, tmp_path: Path, mode: Mode
) -> None:
    """Neither do doctor, prepare and clean, nor the engine processes of a race."""
    settings = told(cache, mode)
    admin.config_resetstat()
    assert failures(settings) == []
    config = configuration(tmp_path, "durable", cache.port, cache.password)
    with config.open("a") as file:
        file.write(f'cluster = "{mode}"\n')
    result_of(config)
    for plan in (prepare.plan(settings.endpoints, 1), clean.plan(settings.endpoints)):
        for change in plan.changes:
            change.apply()
    # What is counted shows that the count would tell.
    assert bool(cluster_calls(admin)) is (mode == "auto")


def test_off_asks_nothing_that_the_user_may_not_ask(barred: RedisEndpoint, admin: Redis) -> None:
    command(admin, "ACL", "LOG", "RESET")
    admin.config_resetstat()
    settings = told(barred, "off")
    assert failures(settings) == []
    assert not any(ASSUMED in note for note in begun(settings))
    assert cluster_calls(admin) == {}
    assert "cluster" not in str(command(admin, "ACL", "LOG"))


def test_a_user_who_may_not_ask_is_raced_for_and_the_fairness_sheet_says_so(
    barred: RedisEndpoint, tmp_path: Path
) -> None:
    settings = told(barred, "auto")
    found = looked_at(settings)
    assert "CLUSTER SLOTS is refused" in found.named("cluster mode").finding
    assert failures(settings) == []
    config = configuration(tmp_path, "durable", barred.port, PASSWORD, user=USER)
    notes = notes_of(result_of(config))
    assert ASSUMED in notes
    assert "as INFO says" in notes


@pytest.mark.parametrize("mode", ["off", "auto"])
@pytest.mark.parametrize("commands", [["CLUSTER"], ["CLUSTER", "INFO"]], ids="-".join)
def test_a_server_that_renamed_it_is_raced_on(
    tmp_path: Path, commands: Sequence[str], mode: Mode
) -> None:
    with redis_without(commands, tmp_path) as at:
        fill(at)
        settings, asked = told(at, mode), mode == "auto"
        found = looked_at(settings)
        assert failures(settings) == []
        assert ("cluster_unknown" in found.problems) is (asked and "INFO" in commands)
        notes = "\n".join(begun(settings))
        assert (ASSUMED in notes) is asked
        assert ("which INFO does not say" in notes) is (asked and "INFO" in commands)
        # With "on", it is refused by both.
        insists = told(at, "on")
        assert failures(insists)
        with pytest.raises(RaceError):
            begun(insists)


@pytest.mark.parametrize(
    "commands",
    [["INFO"], ["CONFIG"], ["COMMAND"], ["CLIENT"], ["PING", "ACL"], ["SCAN", "UNLINK", "PEXPIRE"]],
    ids="-".join,
)
def test_the_doctor_says_well_of_what_a_race_can_do_without(
    tmp_path: Path, commands: Sequence[str]
) -> None:
    with redis_without(commands, tmp_path) as at:
        fill(at)
        settings = told(at, "auto")
        assert failures(settings) == []
        begun(settings)


@pytest.mark.parametrize(
    ("rules", "needed"),
    [
        (["+get", "+set"], True),
        (["+get", "+set", "+info"], True),
        (["+get"], False),
        (["+set"], False),
        (["+@all", "-get"], False),
    ],
    ids=lambda value: "".join(value) if isinstance(value, list) else str(value),
)
def test_the_doctor_passes_the_users_who_can_race_and_no_others(
    cache: RedisEndpoint, rules: Sequence[str], needed: bool
) -> None:
    make_redis_user(cache, ["on", "~telemon:*", *rules])
    try:
        settings = told(replace(cache, user=USER, password=PASSWORD), "auto")
        assert (failures(settings) == []) is needed
        with nullcontext() if needed else pytest.raises(RaceError):
            begun(settings)
    finally:
        drop_redis_user(cache)


def test_a_cluster_that_does_not_describe_itself_is_refused_by_both(sandbox: Sandbox) -> None:
    """A race on it would send two of three operations to a node that has nothing to do with them."""
    at = sandbox.endpoints["durable"].redis
    assert at is not None
    make_redis_user(at, ["on", "~telemon:*", "+@all", "-cluster"])
    barred = replace(at, user=USER, password=PASSWORD)
    try:
        modes: tuple[Mode, ...] = ("auto", "on")
        for mode in modes:
            assert failures(told(barred, mode)) == ["denied_commands"]
            with pytest.raises(RaceError, match=r"cluster\|slots"):
                begun(told(barred, mode))
        assert failures(told(barred, "off")) == ["cluster_on"]
        with pytest.raises(RaceError, match="it is part of a cluster"):
            begun(told(barred, "off"))
    finally:
        drop_redis_user(at)


def test_a_cache_must_let_its_old_keys_be_removed(cache: RedisEndpoint) -> None:
    """The doctor's judgement of one right depends on the server's place: a store's keys stay where they are."""
    make_redis_user(cache, ["on", "~telemon:*", "+@all", "-unlink", "-scan"])
    try:
        at = replace(cache, user=USER, password=PASSWORD)
        assert diagnose(at, cache=True).problems == ["denied_commands"]
        assert diagnose(at, cache=False).problems == ["denied_clean", "evicts"]
    finally:
        drop_redis_user(cache)
