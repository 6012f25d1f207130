"""What telemon says it did is what the servers say was done; and the data is what was acknowledged."""

from __future__ import annotations

import pytest

from engines.metrics.stats import CacheStats
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import ALL_KEYS, HOT_KEYS
from tests.support.race_run import Ran, forget, keys, run_race, table, with_settings
from tests.support.stored_versions import version_of


@pytest.fixture(scope="module", params=["fair", "deck", "fair with warm-up and processes"])
def ran(request: pytest.FixtureRequest, sandbox: Sandbox) -> Ran:
    """One race per preset; the servers are as it left them."""
    forget(sandbox)
    settings = {
        "fair": with_settings(),
        "deck": with_settings(preset="deck"),
        "fair with warm-up and processes": with_settings(warmup_s=0.4, processes=2),
    }
    return run_race(sandbox, settings[request.param])


def deck(request: pytest.FixtureRequest) -> bool:
    return "deck" in request.node.name


def test_every_lane_wrote_and_read_without_an_error(ran: Ran) -> None:
    for lane in ran.lanes.values():
        assert lane.write.operations > 0
        assert lane.read.operations > 0
        assert lane.write.rows == 20 * lane.write.operations
        assert lane.write.errors == {}
        assert lane.read.errors == {}
        assert lane.reconnects == lane.redirects == 0
        assert lane.write.service.count == lane.write.operations
        assert lane.read.service.count == lane.read.operations


@pytest.mark.parametrize("name", ["mysql", "cached"])
def test_mysql_counted_the_same_statements_rows_and_commits(
    ran: Ran, name: str, request: pytest.FixtureRequest
) -> None:
    lane = ran.lanes[name]
    statements = lane.write.rows if deck(request) else lane.write.operations
    selects = lane.read.operations if name == "mysql" else lane.cache.misses
    assert lane.server["Com_insert"] == statements
    assert lane.server["Com_select"] == selects
    assert lane.server["Com_commit"] == (lane.write.operations if deck(request) else 0)
    # Each row is first tried as an insert; what the key already holds is then updated.
    assert lane.server["Handler_write"] == lane.write.rows
    if not deck(request):
        # A statement on its own is its own transaction, for a SELECT as for an upsert.
        assert lane.server["Handler_commit"] == statements + selects


def test_the_cache_counted_the_same_hits_misses_and_fills(ran: Ran) -> None:
    lane = ran.lanes["cached"]
    assert lane.cache.hits + lane.cache.misses == lane.read.operations
    assert lane.cache.skipped == 0
    assert lane.server["keyspace_hits"] == lane.cache.hits
    assert lane.server["keyspace_misses"] == lane.cache.misses
    assert lane.server["get_calls"] == lane.read.operations
    assert lane.server["set_calls"] == lane.cache.fills == lane.cache.misses


def test_the_cluster_counted_the_same_sets_and_gets_over_its_shards(ran: Ran) -> None:
    lane = ran.lanes["durable"]
    assert lane.server["set_calls"] == lane.write.rows
    assert lane.server["get_calls"] == lane.read.operations
    assert lane.server["keyspace_hits"] == lane.cache.hits == lane.read.rows
    assert lane.server["keyspace_misses"] == lane.cache.misses
    assert lane.cache.hits + lane.cache.misses == lane.read.operations


def test_mysql_has_neither_hits_nor_misses(ran: Ran) -> None:
    assert ran.lanes["mysql"].cache == CacheStats()


@pytest.mark.parametrize("name", ["mysql", "cached"])
def test_every_row_holds_the_last_acknowledged_version(
    ran: Ran, name: str, sandbox: Sandbox
) -> None:
    rows = table(sandbox.endpoints[name].mysql)
    assert set(ran.lanes[name].versions) <= set(rows)
    for car_id, row in rows.items():
        assert row[4] == ran.lanes[name].versions.get(car_id, 1), car_id
    assert set(range(HOT_KEYS.first, HOT_KEYS.last + 1)) <= set(rows)


def test_every_key_holds_the_last_acknowledged_version(ran: Ran, sandbox: Sandbox) -> None:
    found = keys(sandbox.endpoints["durable"].redis)
    versions = ran.lanes["durable"].versions
    assert set(versions) | set(range(HOT_KEYS.first, HOT_KEYS.last + 1)) == set(found)
    for car_id, value in found.items():
        assert value.startswith(b"%d:" % car_id)
        assert version_of(value) == versions.get(car_id, 1), car_id


@pytest.mark.usefixtures("ran")
def test_lanes_wrote_the_same_rows_as_far_as_both_got(sandbox: Sandbox) -> None:
    """Where two lanes hold the same version of a car, they hold the same reading: one stream, three lanes."""
    durable = {
        car_id: tuple(int(part) for part in value.split(b":")[1:])
        for car_id, value in keys(sandbox.endpoints["durable"].redis).items()
    }
    rows = table(sandbox.endpoints["cached"].mysql)
    same = [car for car in durable.keys() & rows.keys() if durable[car][4] == rows[car][4]]
    assert len(same) >= len(HOT_KEYS) // 2
    for car_id in same:
        assert durable[car_id] == rows[car_id]


def test_in_durable_a_missing_key_is_a_miss(ran: Ran, request: pytest.FixtureRequest) -> None:
    """The slide's readers cover the fleet, most of which nobody has written; nothing is made up for it."""
    lane = ran.lanes["durable"]
    assert lane.read.rows == lane.cache.hits
    if deck(request):
        assert lane.cache.misses > 0
    else:
        assert lane.cache.misses == 0


def test_writers_stay_in_their_range(ran: Ran, request: pytest.FixtureRequest) -> None:
    for name, lane in ran.lanes.items():
        if deck(request) and name != "durable":
            assert all(100_000_000 <= car_id <= 999_999_999 for car_id in lane.versions)
        else:
            assert all(car_id in ALL_KEYS for car_id in lane.versions)
