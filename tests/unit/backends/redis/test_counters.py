"""Counters of Redis and Valkey by their recorded answers: servers with two names, slots that move, hidden fields."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from engines.backends import server_counters
from engines.backends.redis import counters
from engines.backends.redis.counters import SLOTS_IMPORTED, SLOTS_MOVED, RedisCounters
from engines.endpoints.endpoint import LaneEndpoints, RedisEndpoint
from engines.endpoints.slot_map import SlotRange
from tests.support.recorded_info import VERSIONS, recorded

ONE, TWO = "one.example:6379", "one.example:6380"
HALF = 8_192


class Node:
    """A server that answers INFO, to a pipeline, as `sections` says at that moment. None: it is gone."""

    def __init__(self, sections: Callable[[], dict[str, dict[str, Any]] | None]) -> None:
        self._sections = sections
        self._asked: list[str] = []

    def pipeline(self, *, transaction: bool) -> Node:
        assert not transaction
        return self

    def __enter__(self) -> Node:
        self._asked = []
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def info(self, section: str) -> None:
        self._asked.append(section)

    def execute(self, *, raise_on_error: bool) -> list[dict[str, Any]]:
        assert not raise_on_error
        sections = self._sections()
        if sections is None:
            raise RedisConnectionError("gone")
        return [deepcopy(sections.get(name, {})) for name in self._asked]

    def close(self) -> None:
        pass


class Cluster:
    """Servers by address, and which slots the cluster says they have."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ranges: SlotRange) -> None:
        self.ranges = list(ranges)
        self.servers: dict[str, dict[str, dict[str, Any]] | None] = {}
        monkeypatch.setattr(
            counters, "client", lambda address, _: Node(lambda: self.servers.get(address))
        )
        monkeypatch.setattr(counters, "slot_map", lambda _: self.ranges)
        monkeypatch.setattr(counters, "slot_ranges", lambda *_: self.ranges)
        self.endpoint = RedisEndpoint("one.example", 6379, "", cluster=True)


def server(name: str, run_id: str = "", **stats: int) -> dict[str, dict[str, Any]]:
    """A recorded server, of a run of its own if `run_id` is given."""
    sections = recorded(name)
    sections["server"]["run_id"] = run_id or sections["server"]["run_id"]
    sections["stats"] |= stats
    return sections


def halves(first: str, second: str) -> tuple[SlotRange, SlotRange]:
    return SlotRange(0, HALF - 1, first), SlotRange(HALF, 16_383, second)


@pytest.mark.parametrize("name", VERSIONS)
def test_every_product_shows_every_counter(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    cluster = Cluster(monkeypatch, SlotRange(0, 16_383, ONE))
    cluster.servers = {ONE: server(name)}
    source = RedisCounters(cluster.endpoint)
    (reading,) = source.read().values()
    assert reading.counts["set_calls"] == reading.counts["get_calls"] == 2
    assert reading.counts["keyspace_hits"] == 2
    assert source.missing == ()
    assert source.caveat == ""


@pytest.mark.parametrize("name", ["serverless", "valkey-8"])
@pytest.mark.parametrize("as_replica", [True, False], ids=["for reads", "for slots"])
def test_a_server_with_two_addresses_is_counted_once(
    monkeypatch: pytest.MonkeyPatch, name: str, as_replica: bool
) -> None:
    """The proxy before a serverless cache has an address for writes and one for reads."""
    ranges = (SlotRange(0, 16_383, ONE, (TWO,)),) if as_replica else halves(ONE, TWO)
    cluster = Cluster(monkeypatch, *ranges)
    one = server(name)
    cluster.servers = {ONE: one, TWO: one}
    lanes = {"durable": LaneEndpoints("durable", redis=cluster.endpoint)}
    found = server_counters.ServerCounters(lanes)
    found.start()
    try:
        one["commandstats"]["cmdstat_set"]["calls"] += 100
        # Neither the one nor the other has to be there for it.
        cluster.servers[ONE] = None
        found.read(5.0)
        one["commandstats"]["cmdstat_set"]["calls"] += 7
        cluster.servers = {ONE: one, TWO: None}
        found.read(5.0)
        assert found.moved("durable")["set_calls"] == 107
        assert found.nodes("durable") == {}
    finally:
        found.close()


@pytest.mark.parametrize("run_id", ["", "0000000000000000000000000000000000000000"])
def test_servers_that_hide_who_they_are_are_several(
    monkeypatch: pytest.MonkeyPatch, run_id: str
) -> None:
    cluster = Cluster(monkeypatch, *halves(ONE, TWO))
    cluster.servers = {ONE: server("valkey-9"), TWO: server("valkey-9")}
    for sections in cluster.servers.values():
        assert sections is not None
        sections["server"]["run_id"] = run_id
    source = RedisCounters(cluster.endpoint)
    assert source.read().keys() == {ONE, TWO}
    assert not source.aliased


def test_servers_that_change_places_stay_two(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, *halves(ONE, TWO))
    first, second = server("valkey-9", "a1"), server("valkey-9", "b2")
    cluster.servers = {ONE: first, TWO: second}
    source = RedisCounters(cluster.endpoint)
    assert [each.server for each in source.read().values()] == ["a1", "b2"]
    cluster.servers = {ONE: second, TWO: first}
    found = source.read()
    assert {address: each.server for address, each in found.items()} == {ONE: "b2", TWO: "a1"}
    assert not source.aliased


def test_slots_that_are_copied_are_told_before_they_have_another_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Valkey 9 counts each key that CLUSTER MIGRATESLOTS brings as a SET."""
    cluster = Cluster(monkeypatch, *halves(ONE, TWO))
    cluster.servers = {ONE: server("valkey-9", "a1"), TWO: server("valkey-9", "b2")}
    source = RedisCounters(cluster.endpoint)
    source.read()
    assert source.caveat == ""
    cluster.servers[TWO] = server("valkey-9", "b2", total_net_cluster_slot_import_bytes=157_276)
    source.read()
    assert source.caveat == SLOTS_IMPORTED


def test_slots_that_were_copied_before_the_race_are_no_caveat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, *halves(ONE, TWO))
    cluster.servers = {
        ONE: server("valkey-9", "a1"),
        TWO: server("valkey-9", "b2", total_net_cluster_slot_import_bytes=157_276),
    }
    source = RedisCounters(cluster.endpoint)
    source.read()
    source.read()
    assert source.caveat == ""


@pytest.mark.parametrize("name", ["redis-7.0", "redis-8", "valkey-8"])
def test_slots_that_moved_are_told_where_no_field_counts_them(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    cluster = Cluster(monkeypatch, *halves(ONE, TWO))
    cluster.servers = {ONE: server(name, "a1"), TWO: server(name, "b2")}
    source = RedisCounters(cluster.endpoint)
    source.read()
    cluster.ranges = [SlotRange(0, 99, ONE), SlotRange(100, 16_383, TWO)]
    source.read()
    assert source.caveat == SLOTS_MOVED
