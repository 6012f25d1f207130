"""Lane `cached`: lazy loading, its TTL, and its stampedes."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

from engines.backends.redis.client import address_of, client
from engines.metrics.frame import Frame
from engines.model.controls import FlushCache
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS
from tests.support.race_run import forget, keys, run_race, table, with_settings

READ_ONLY = with_settings(lanes=("cached",), writers=0)


def test_the_first_read_of_a_car_fills_and_the_next_ones_hit(sandbox: Sandbox) -> None:
    forget(sandbox)
    lane = run_race(sandbox, READ_ONLY).lanes["cached"]
    cached = keys(sandbox.endpoints["cached"].redis)
    assert lane.cache.misses == lane.cache.fills
    # Nothing expires in a second: what was filled more than once was filled by several readers at a time.
    assert lane.cache.fills - len(cached) == lane.cache.duplicate_fills
    assert lane.cache.hits == lane.read.operations - lane.cache.misses > 0


def test_a_hit_has_the_content_of_mysql_s_row(sandbox: Sandbox) -> None:
    forget(sandbox)
    run_race(sandbox, READ_ONLY)
    rows = table(sandbox.endpoints["cached"].mysql)
    cached = keys(sandbox.endpoints["cached"].redis)
    assert len(cached) > len(HOT_KEYS) // 2
    for car_id, value in cached.items():
        assert value == b"%d:%d:%d:%d:%d:%d" % (car_id, *rows[car_id])


def test_the_ttl_is_on_every_key(sandbox: Sandbox) -> None:
    forget(sandbox)
    run_race(sandbox, READ_ONLY)
    endpoint = sandbox.endpoints["cached"].redis
    assert endpoint is not None
    with client(address_of(endpoint), endpoint) as node:
        ttls_ms = [node.pttl(name) for name in node.scan_iter(count=5000)]
    assert len(ttls_ms) > len(HOT_KEYS) // 2
    assert all(isinstance(ttl_ms, int) and 100_000 < ttl_ms <= 120_000 for ttl_ms in ttls_ms)


def test_ttls_are_spread_by_the_jitter(sandbox: Sandbox) -> None:
    """So that what was filled together does not expire together."""
    forget(sandbox)
    run_race(sandbox, replace(READ_ONLY, ttl_jitter=0.5))
    endpoint = sandbox.endpoints["cached"].redis
    assert endpoint is not None
    with client(address_of(endpoint), endpoint) as node:
        ttls_s = [int(node.pttl(name)) / 1000 for name in node.scan_iter(count=5000)]
    # Evenly over 120 s - 50 % to 120 s + 50 %, less the seconds of the race.
    assert 40 < min(ttls_s) < 70
    assert 170 < max(ttls_s) <= 180
    assert 100 < mean(ttls_s) < 130


def test_a_short_ttl_is_honoured(sandbox: Sandbox) -> None:
    """With a TTL of 1 s every hot car has to be filled about once a second."""
    forget(sandbox)
    settings = with_settings(lanes=("cached",), writers=0, ttl_s=1.0, duration_s=3.2)
    lane = run_race(sandbox, settings).lanes["cached"]
    assert lane.server["expired_keys"] > len(HOT_KEYS)
    assert lane.cache.fills > 2 * len(HOT_KEYS)
    assert lane.server["keyspace_misses"] == lane.cache.misses


def test_concurrent_misses_of_one_car_are_duplicate_fills(sandbox: Sandbox) -> None:
    """Many readers on a cold cache, which is flushed under them again and again: the excess of fills over the keys
    that the cache saw is what telemon counted as duplicates."""
    forget(sandbox)
    settings = with_settings(lanes=("cached",), writers=0, readers=64, duration_s=1.0)
    lane = run_race(sandbox, settings).lanes["cached"]
    cached = keys(sandbox.endpoints["cached"].redis)
    assert lane.cache.duplicate_fills > 0
    assert lane.cache.fills - lane.cache.duplicate_fills == len(cached)


def test_a_flush_takes_telemon_s_keys_only_and_the_race_fills_again(sandbox: Sandbox) -> None:
    forget(sandbox)
    endpoint = sandbox.endpoints["cached"].redis
    assert endpoint is not None
    with client(address_of(endpoint), endpoint) as node:
        node.set("somebody else's", "value")
    flushed = False

    def flush(race: Race, frame: Frame) -> None:
        nonlocal flushed
        if not flushed and frame.elapsed_s >= 0.5:
            flushed = True
            race.send(FlushCache())

    lane = run_race(sandbox, READ_ONLY, on_frame=flush).lanes["cached"]
    assert flushed
    assert lane.cache.fills > 1.2 * len(keys(endpoint))
    with client(address_of(endpoint), endpoint) as node:
        assert node.get("somebody else's") == b"value"
        node.delete("somebody else's")
