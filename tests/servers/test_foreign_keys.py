"""Keys of somebody else in telemon's place: nothing removes or overwrites them, and what would says their names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engines.backends.redis import marker
from engines.backends.redis.client import seed
from engines.backends.redis.own_keys import scan, survey
from engines.errors import PlanError, RaceError
from engines.metrics.frame import Frame
from engines.model.controls import FlushCache
from engines.pipeline import run_pipeline
from engines.provisioning import clean, prepare
from engines.provisioning.seed import SEED_VERSION
from engines.race.race import Race
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, STORED_KEYS, TelemetryPool
from engines.workload.redis_keys import redis_key
from tests.support.diagnosis import diagnose
from tests.support.shared_servers import cache_of, on_key, prepared, shared, store_of, tidy

SOMEBODYS = {
    "text": ("SET", "hello"),
    "row of another car": ("SET", "50000001:750:60:80:30:1"),
    "hash": ("HSET", "rpm", "750"),
}
"""Ways to make a key that telemon did not write."""


@pytest.fixture(autouse=True)
def _leave_nothing(sandbox: Sandbox) -> Iterator[None]:
    tidy(sandbox)
    yield
    tidy(sandbox)


@pytest.mark.parametrize("lane", ["cached", "durable"])
def test_a_key_with_a_number_that_is_no_cars_is_nobodys_business(
    sandbox: Sandbox, lane: str
) -> None:
    settings = prepared(sandbox, shared(sandbox, [lane]))
    at = cache_of(sandbox) if lane == "cached" else store_of(sandbox)
    numbered = [b"telemon:42", b"telemon:49999999", b"telemon:050000000"]
    for name in numbered:
        on_key(at, name, "SET", b"42:750:60:80:30:1")
    with Race(settings) as race:
        assert list(race.frames())
    planned = clean.plan(settings.endpoints)
    assert any(what.endswith("not made by telemon") for _, what in planned.unchanged)
    for change in planned.changes:
        change.apply()
    assert [on_key(at, name, "GET") for name in numbered] == [b"42:750:60:80:30:1"] * 3
    assert scan(at).own_count == 0
    assert marker.read(at) is None


@pytest.mark.parametrize("words", SOMEBODYS.values(), ids=SOMEBODYS)
@pytest.mark.parametrize("lane", ["cached", "durable"])
def test_a_key_in_the_place_of_one_that_a_race_writes_stops_it_by_name(
    sandbox: Sandbox, lane: str, words: tuple[str, str]
) -> None:
    settings = prepared(sandbox, shared(sandbox, [lane]))
    at = cache_of(sandbox) if lane == "cached" else store_of(sandbox)
    # Of the hot cars in a cache, of all cars in a store.
    car_id = HOT_KEYS.first if lane == "cached" else STORED_KEYS.last
    name = redis_key(car_id)
    if words[1].startswith("50000000:"):
        words = (words[0], words[1].replace("50000000", str(car_id)))
    on_key(at, name, "DEL")
    on_key(at, name, *words)
    before = on_key(at, name, "DUMP")
    said = f"key {name.decode()} was not made by telemon"
    with pytest.raises(RaceError, match=said) as refused, Race(settings):
        pass
    assert "namespace" in str(refused.value)
    with pytest.raises(PlanError, match=said):
        prepare.plan(settings.endpoints, seed=1)
    found = diagnose(at, cache=lane == "cached").failed
    assert found.problem == "foreign_key"
    assert said in found.finding
    planned = clean.plan(settings.endpoints)
    assert any(name.decode() in what for _, what in planned.unchanged)
    for change in planned.changes:
        change.apply()
    assert on_key(at, name, "DUMP") == before
    assert scan(at).own_count == 0
    on_key(at, name, "DEL")


@pytest.mark.parametrize("key", ["marker_key", "lease_key"])
def test_a_foreign_marker_or_lease_stops_a_race_and_keeps_all_keys(
    sandbox: Sandbox, key: str
) -> None:
    settings = prepared(sandbox, shared(sandbox, ["durable"]))
    at = store_of(sandbox)
    name = getattr(at.namespace, key)
    on_key(at, name, "DEL")
    on_key(at, name, "SET", "ours: do not touch")
    said = f"key {name.decode()} was not made by telemon"
    with pytest.raises(RaceError, match=said), Race(settings):
        pass
    assert diagnose(at, cache=False).failed.problem == "foreign_key"
    if key == "lease_key":
        with pytest.raises(PlanError, match=said):
            clean.plan(settings.endpoints)
    else:
        planned = clean.plan(settings.endpoints)
        assert not planned.changes
        assert any(said in what for _, what in planned.unchanged)
    assert on_key(at, name, "GET") == b"ours: do not touch"
    assert scan(at).own_count == len(HOT_KEYS)
    on_key(at, name, "DEL")


def test_a_back_end_of_a_telemon_without_markers_goes_on_and_is_cleaned(sandbox: Sandbox) -> None:
    at = store_of(sandbox)
    seed(at, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    assert marker.read(at) is None
    settings = shared(sandbox, ["durable"])
    assert prepare.plan(settings.endpoints, seed=1).changes == ()
    (change,) = clean.plan(settings.endpoints).changes
    with Race(settings) as race:
        # It is marked before the first key is written.
        assert marker.read(at) is not None
        assert list(race.frames())
    assert "keys" in change.apply()
    assert scan(at).own_count == 0
    assert marker.read(at) is None


def test_a_flush_leaves_a_foreign_key_and_is_told_apart_from_the_race(sandbox: Sandbox) -> None:
    settings = prepared(sandbox, shared(sandbox, ["cached"], duration_s=1.5))
    at, name = cache_of(sandbox), redis_key(HOT_KEYS.first)
    flushed: list[str] = []
    with Race(settings, interval_s=0.25) as race:
        summary = Summary(settings, race.lane_infos, race.environment)

        class Flush:
            def start(self, _source: object) -> None:
                pass

            def frame(self, frame: Frame) -> None:
                flushed.extend(e.text for e in frame.events if "flushed" in e.text)
                if frame.seq == 1:
                    on_key(at, name, "SET", "somebody's")
                    race.send(FlushCache())

            def finish(self, _closing: object, _error: object) -> None:
                pass

        run_pipeline(race, [summary, Flush()])
    assert on_key(at, name, "GET") == b"somebody's"
    assert any("keys removed; key telemon:50000000 of somebody else stay" in e for e in flushed)
    checks = {check.what: check for check in summary.reconciliations["cached"].checks}
    # The test's own SET is the only thing that the race did not do.
    assert {what: check.difference for what, check in checks.items() if what != "sets"} == {
        "upserts": 0, "rows": 0, "commits": 0, "selects": 0, "gets": 0, "hits": 0, "misses": 0,
    }  # fmt: skip
    assert checks["sets"].difference == 1
    on_key(at, name, "DEL")


def test_an_id_is_asked_for_by_its_name_and_nothing_is_scanned(sandbox: Sandbox) -> None:
    """In a cluster, over all nodes; of 50,001 keys none is missed and none is asked for twice."""
    at = store_of(sandbox)
    seed(at, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    found = survey(at, STORED_KEYS)
    assert len(found.own) == 3
    assert sorted(car for cars in found.own.values() for car in cars) == list(
        range(HOT_KEYS.first, HOT_KEYS.last + 1)
    )
    gets = [counts["get_calls"] for counts in found.commands.values()]
    assert sum(gets) == len(STORED_KEYS)
    assert survey(at, HOT_KEYS).count_in(HOT_KEYS) == len(HOT_KEYS)
