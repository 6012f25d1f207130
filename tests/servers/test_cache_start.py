"""A race begins with a cold or a filled cache, as asked for."""

from __future__ import annotations

from engines.backends.redis.client import address_of, client
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS
from engines.workload.redis_keys import KEY_PREFIX
from tests.support.race_run import forget, run_race, table, with_settings
from tests.support.race_run import keys as keys_of

CACHED = with_settings(lanes=("cached",), writers=0, readers=2, duration_s=0.5, ttl_s=60.0)


def test_a_cold_cache_misses_whatever_the_race_before_left_in_it(sandbox: Sandbox) -> None:
    forget(sandbox)
    for _ in range(2):
        cache = run_race(sandbox, CACHED).lanes["cached"].cache
        # Every car that was asked for was asked for a first time.
        assert cache.misses >= cache.fills - cache.duplicate_fills
        assert (
            len(keys_of(sandbox.endpoints["cached"].redis)) == cache.fills - cache.duplicate_fills
        )
        assert cache.misses > len(HOT_KEYS) / 2


def test_a_filled_cache_misses_nothing_and_holds_what_mysql_holds(sandbox: Sandbox) -> None:
    forget(sandbox)
    filled = with_settings(
        lanes=("cached",),
        writers=0,
        readers=2,
        duration_s=0.5,
        ttl_s=60.0,
        ttl_jitter=0.5,
        cache="filled",
    )
    total = run_race(sandbox, filled).lanes["cached"]
    assert (total.cache.misses, total.cache.fills) == (0, 0)
    assert total.cache.hits == total.read.operations > len(HOT_KEYS)
    rows = table(sandbox.endpoints["cached"].mysql)
    found = keys_of(sandbox.endpoints["cached"].redis)
    hot = range(HOT_KEYS.first, HOT_KEYS.last + 1)
    assert found == {car_id: ":".join(map(str, (car_id, *rows[car_id]))).encode() for car_id in hot}
    endpoint = sandbox.endpoints["cached"].redis
    assert endpoint is not None
    with client(address_of(endpoint), endpoint) as node:
        ttls_s = [node.pttl(KEY_PREFIX + b"%d" % car_id) / 1000 for car_id in hot]
    # From 30 to 90 s, less what the race took.
    assert 15 < min(ttls_s) < 40
    assert 80 < max(ttls_s) <= 90
