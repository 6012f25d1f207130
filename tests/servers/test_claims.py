"""What a result says of its servers still holds when the race ends, or the result says that it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from engines.backends.redis.client import client, nodes
from engines.endpoints.endpoint import RedisEndpoint
from engines.metrics.frame import Frame
from engines.model.caveats import KeysEvicted, SettingChanged, TtlNotKept
from engines.model.controls import Ttl
from engines.race.race import Race
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS
from engines.workload.redis_keys import redis_key
from tests.support.race_run import forget, with_settings
from tests.support.user_servers import as_root
from tui.cli.run import exit_code_for


def raced(sandbox: Sandbox, lane: str, on_frame: Callable[[Race, Frame], None]) -> Summary:
    forget(sandbox)
    settings = with_settings(lanes=(lane,), duration_s=0.6, ttl_s=30.0, ttl_jitter=0.1)
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        for frame in race.frames():
            summary.add(frame)
            on_frame(race, frame)
        summary.reconcile_with_servers(race.closing_counts)
    return summary


def redis_of(sandbox: Sandbox, lane: str) -> RedisEndpoint:
    endpoint = sandbox.endpoints[lane].redis
    assert endpoint is not None
    return endpoint


@pytest.fixture
def settings_kept(sandbox: Sandbox) -> Iterator[None]:
    """Afterwards the servers are as durable as before."""
    yield
    as_root(sandbox, "mysql", "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    store = redis_of(sandbox, "durable")
    for address in nodes(store):
        with client(address, store) as node:
            node.config_set("appendfsync", "always")


@pytest.mark.usefixtures("settings_kept")
def test_an_fsync_policy_that_changes_during_the_race_is_told(sandbox: Sandbox) -> None:
    store = redis_of(sandbox, "durable")

    def relax(_: Race, frame: Frame) -> None:
        if frame.seq == 0:
            with client(nodes(store)[0], store) as node:
                node.config_set("appendfsync", "everysec")

    summary = raced(sandbox, "durable", relax)
    assert summary.untrue == (
        SettingChanged("durable", "store", "appendfsync", "always", "always / everysec"),
    )
    assert any(
        "appendfsync of its store was always when the race began" in n for n in summary.notes()
    )
    assert exit_code_for(summary) == 1


@pytest.mark.usefixtures("settings_kept")
def test_a_flush_policy_that_changes_during_the_race_is_told(sandbox: Sandbox) -> None:
    def relax(_: Race, frame: Frame) -> None:
        if frame.seq == 0:
            as_root(sandbox, "mysql", "SET GLOBAL innodb_flush_log_at_trx_commit = 2")

    summary = raced(sandbox, "mysql", relax)
    (caveat,) = summary.untrue
    assert caveat == SettingChanged("mysql", "database", "innodb_flush_log_at_trx_commit", 1, 2)
    assert exit_code_for(summary) == 1


def test_the_times_to_live_in_the_cache_are_those_that_were_asked_for(sandbox: Sandbox) -> None:
    def longer(race: Race, frame: Frame) -> None:
        if frame.seq == 0:
            race.send(Ttl(60.0))  # a longer one by choice is none too long

    summary = raced(sandbox, "cached", longer)
    assert summary.untrue == ()
    found = summary.lifetimes["cached"]
    assert found.checked > 50
    assert found.allowed_ms == 66_000
    assert (found.endless, found.longer) == (0, 0)


@pytest.mark.parametrize("ttl_ms", [None, 3_600_000])
def test_a_key_that_stays_longer_than_its_ttl_is_told(sandbox: Sandbox, ttl_ms: int | None) -> None:
    """As if the cache, or a proxy before it, did not keep the option of SET."""
    cache = redis_of(sandbox, "cached")

    def keep(_: Race, __: Frame) -> None:
        with client(nodes(cache)[0], cache) as node, node.pipeline(transaction=False) as pipeline:
            for car_id in range(HOT_KEYS.first, HOT_KEYS.last + 1):
                if ttl_ms is None:
                    pipeline.persist(redis_key(car_id))
                else:
                    pipeline.pexpire(redis_key(car_id), ttl_ms)
            pipeline.execute()

    summary = raced(sandbox, "cached", keep)
    (caveat,) = summary.untrue
    assert isinstance(caveat, TtlNotKept)
    assert caveat.checked > 50
    assert (caveat.endless, caveat.longer) == (
        (caveat.checked, 0) if ttl_ms is None else (0, caveat.checked)
    )
    assert exit_code_for(summary) == 1


def test_keys_that_the_cache_has_no_room_for_are_told(sandbox: Sandbox) -> None:
    cache = redis_of(sandbox, "cached")
    with client(nodes(cache)[0], cache) as node:
        before = node.config_get("maxmemory")["maxmemory"]

        def shrink(_: Race, frame: Frame) -> None:
            if frame.seq == 0:
                node.config_set("maxmemory", "1mb")

        try:
            summary = raced(sandbox, "cached", shrink)
        finally:
            node.config_set("maxmemory", before)
    (caveat,) = [each for each in summary.caveats() if isinstance(each, KeysEvicted)]
    assert caveat.evicted > 0
    assert any("for lack of memory" in note for note in summary.notes())
    assert summary.untrue == ()
