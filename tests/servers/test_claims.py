"""What a result says of its servers still holds when the race ends, or the result says that it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engines.backends.redis.client import address_of, client, nodes
from engines.endpoints.endpoint import RedisEndpoint
from engines.metrics.frame import Frame
from engines.model.caveats import (
    DurabilityNotReadAgain,
    KeysEvicted,
    SettingChanged,
    TtlNotKept,
    TtlNotRead,
)
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


@pytest.fixture
def hiding(sandbox: Sandbox) -> Iterator[Callable[[str, str], None]]:
    """Takes a command from what a lane's Redis does for telemon, for the rest of the test."""

    def everywhere(lane: str, rule: str) -> None:
        at = redis_of(sandbox, lane)
        for address in nodes(at):
            with client(address, at) as node:
                node.execute_command("ACL SETUSER", "default", rule)

    yield lambda lane, command: everywhere(lane, f"-{command}")
    for lane in ("cached", "durable"):
        everywhere(lane, "+@all")


def of_kind(summary: Summary, kind: type) -> list[Any]:
    return [each for each in summary.caveats() if isinstance(each, kind)]


def test_a_time_to_live_that_is_not_told_is_not_said_to_be_kept(
    sandbox: Sandbox, hiding: Callable[[str, str], None]
) -> None:
    def hide(_: Race, frame: Frame) -> None:
        if frame.seq == 0:
            hiding("cached", "pttl")

    summary = raced(sandbox, "cached", hide)
    (caveat,) = of_kind(summary, TtlNotRead)
    assert (caveat.checked, caveat.unread, caveat.timed_out) == (0, 200, False)
    assert "pttl" in caveat.problem.lower()
    assert any("TTL not checked" in note for note in summary.notes())
    assert of_kind(summary, DurabilityNotReadAgain) == []
    assert exit_code_for(summary) == 0


def test_a_cache_that_was_emptied_has_kept_no_time_to_live(sandbox: Sandbox) -> None:
    """Nothing was found wrong, because nothing was there."""
    cache = redis_of(sandbox, "cached")

    def empty(_: Race, __: Frame) -> None:
        with client(nodes(cache)[0], cache) as node:
            node.flushall()

    summary = raced(sandbox, "cached", empty)
    (caveat,) = of_kind(summary, TtlNotRead)
    assert (caveat.checked, caveat.unread) == (0, 0)


def test_a_setting_that_is_hidden_at_the_end_is_not_said_to_be_as_before(
    sandbox: Sandbox, hiding: Callable[[str, str], None]
) -> None:
    def hide(_: Race, frame: Frame) -> None:
        if frame.seq == 0:
            hiding("durable", "config|get")

    summary = raced(sandbox, "durable", hide)
    (caveat,) = of_kind(summary, DurabilityNotReadAgain)
    assert (caveat.role, caveat.timed_out, caveat.problem) == ("store", False, "")
    assert {"appendonly", "appendfsync"} <= set(caveat.settings)
    assert summary.untrue == ()
    assert exit_code_for(summary) == 0


@pytest.mark.usefixtures("settings_kept")
def test_a_cache_that_is_gone_hides_no_change_of_the_database(breakable: Sandbox) -> None:
    def relax(_: Race, frame: Frame) -> None:
        if frame.seq == 0:
            as_root(breakable, "cached-mysql", "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
            breakable.kill("cache")

    try:
        summary = raced(breakable, "cached", relax)
    finally:
        as_root(breakable, "cached-mysql", "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    assert summary.untrue == (
        SettingChanged("cached", "database", "innodb_flush_log_at_trx_commit", 1, 2),
    )
    (unread,) = of_kind(summary, DurabilityNotReadAgain)
    assert (unread.role, bool(unread.problem)) == ("cache", True)
    (ttl,) = of_kind(summary, TtlNotRead)
    assert (ttl.unread, bool(ttl.problem)) == (200, True)


@pytest.mark.usefixtures("settings_kept")
def test_a_node_that_is_gone_hides_no_change_of_another(breakable: Sandbox) -> None:
    store = redis_of(breakable, "durable")
    # The first node is asked which others there are.
    gone, changed = sorted(nodes(store), key=address_of(store).__eq__)[:2]
    (server,) = [name for name, each in breakable.servers.items() if gone.endswith(f":{each.port}")]

    def relax(_: Race, frame: Frame) -> None:
        if frame.seq == 0:
            with client(changed, store) as node:
                node.config_set("appendfsync", "everysec")
            breakable.kill(server)

    summary = raced(breakable, "durable", relax)
    changes = [each for each in summary.untrue if isinstance(each, SettingChanged)]
    assert [(each.setting, each.before) for each in changes] == [("appendfsync", "always")]
    assert "everysec" in str(changes[0].after)
    (unread,) = of_kind(summary, DurabilityNotReadAgain)
    assert "appendfsync" in unread.settings
    assert unread.problem


@pytest.mark.soak  # on a busy machine the cache may be filled before it is made small
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
