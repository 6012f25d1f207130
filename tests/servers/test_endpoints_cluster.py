"""A race on a TLS Redis Cluster with replicas, reached by a map of addresses: as on MemoryDB behind tunnels."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from redis.exceptions import ResponseError

from engines.backends.redis import client as redis
from engines.backends.redis.counters import SLOTS_IMPORTED, SLOTS_MOVED
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import PreparationError, RaceError
from engines.metrics.frame import Frame, LaneState
from engines.provisioning.conflicts import resolve_cluster_modes
from engines.race.race import Race
from engines.results.fairness import fairness
from engines.wire.resp import key_slot
from engines.workload.dataset import HOT_KEYS, STORED_KEYS
from engines.workload.redis_keys import redis_key
from tests.support.cluster_race import backend, replica_of, settings
from tests.support.race_run import SHORT, LaneSum, keys, run_race
from tests.support.server_product import redis_product
from tests.support.stored_rows import version_of
from tests.support.tls_cluster import NODE_TIMEOUT_S, PASSWORD, Node, TlsCluster

MOVE_WAIT_S = 20.0


def shard_of_hot_cars(cluster: TlsCluster) -> tuple[Node, list[int]]:
    """A primary, and slots of it that hold hot cars."""
    ranges = redis.slot_map(cluster.endpoint)
    part = ranges[0]
    slots = {key_slot(redis_key(car)) for car in range(HOT_KEYS.first, HOT_KEYS.last + 1)}
    node = next(node for node in cluster.nodes if node.address == part.address)
    return node, sorted(slot for slot in slots if part.first <= slot <= part.last)


def test_a_race_is_on_the_configured_cluster_and_needs_no_sandbox(cluster: TlsCluster) -> None:
    before = {node.name: cluster.calls(node, "set") for node in cluster.primaries()}
    with Race(settings(cluster), keep_versions=True) as race:
        assert race.sandbox is None
        (lane_info,) = race.lane_infos
        frames = list(race.frames())
        sheet = fairness(race.environment, settings(cluster))
        versions = race.versions["durable"]
        warm = race.closing_counts.warm["durable"]["write"].work.rows
    assert lane_info.product == f"{redis_product()} Cluster of 3"
    assert "stand-in" not in lane_info.product
    assert lane_info.durability == "none: memory only"
    assert any("over TLS, through a tunnel" in note for note in lane_info.notes)
    at = cluster.endpoint
    assert sheet["servers"] == {"durable": f"{at.host}:{at.port}"}
    assert "file_system" not in sheet
    assert isinstance(sheet["lanes"], dict)
    (store,) = sheet["lanes"]["durable"]
    assert (store["nodes"], store["tls"]) == (3, "on, certificate and host name verified")
    assert store["durability"]["replicas"] == 1
    assert store["durability"]["appendonly"] == "no"
    lanes = [frame.lanes[0] for frame in frames]
    assert all(not lane.write.errors and not lane.read.errors for lane in lanes)
    rows = sum(lane.write.rows for lane in lanes) + warm
    counted = sum(cluster.calls(node, "set") - before[node.name] for node in cluster.primaries())
    # One SET for the lease and one for the marker, before the race.
    assert rows == counted - 2 > 0
    assert sum(lane.read.operations for lane in lanes) > 0
    for car_id, value in keys(at).items():
        assert version_of(value) == versions.get(car_id, version_of(value))


def test_moved_slots_are_followed_by_the_names_of_their_new_owners(cluster: TlsCluster) -> None:
    source, slots = shard_of_hot_cars(cluster)
    target = next(node for node in cluster.primaries() if node is not source)
    moved = slots[:30]
    there = False

    def reshard(_: Race, frame: Frame) -> None:
        nonlocal there
        if frame.elapsed_s >= 0.4 and not there:
            there = True
            for slot in moved:
                move(cluster, slot, source, target)

    try:
        ran = run_race(None, settings(cluster, 2.0), on_frame=reshard)
    finally:
        for slot in moved:
            move(cluster, slot, target, source)
    total = ran.lanes["durable"]
    assert there
    assert total.redirects > 0
    assert total.server["set_calls"] == total.write.rows > 0
    assert total.server["get_calls"] == total.read.operations > 0
    assert ran.closing.counter_caveats["durable"] == (SLOTS_MOVED,)
    assert total.write.errors == total.read.errors == {}
    # Each session's link to each node stood from the start: nothing had to be opened anew.
    assert total.reconnects == 0


def test_slots_that_move_as_a_whole_are_followed_and_explain_the_counters(
    cluster: TlsCluster,
) -> None:
    """CLUSTER MIGRATESLOTS of Valkey 9 and later: each key that comes counts as a SET of its new owner."""
    source, slots = shard_of_hot_cars(cluster)
    target = next(node for node in cluster.primaries() if node is not source)
    moved = slots[0], slots[60]
    there = False

    def reshard(_: Race, frame: Frame) -> None:
        nonlocal there
        if frame.elapsed_s >= 0.4 and not there:
            there = True
            move_as_a_whole(cluster, moved, source, target)

    try:
        cluster.ask(source, "CLUSTER", "GETSLOTMIGRATIONS")
    except ResponseError:
        pytest.skip("this server moves slots key by key")
    try:
        ran = run_race(None, settings(cluster, 2.0), on_frame=reshard)
    finally:
        move_as_a_whole(cluster, moved, target, source)
    total = ran.lanes["durable"]
    assert there
    assert total.redirects > 0
    assert total.write.errors == total.read.errors == {}
    assert total.server["set_calls"] > total.write.rows > 0
    assert total.server["get_calls"] == total.read.operations > 0
    assert ran.closing.counter_caveats["durable"] == (SLOTS_IMPORTED,)


def move_as_a_whole(
    cluster: TlsCluster, slots: tuple[int, int], source: Node, target: Node
) -> None:
    """Move the slots from the first to the last of `slots`, and wait until they have moved."""
    words = ("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", *slots, "NODE", target.identity)
    cluster.ask(source, *words)
    until_s = time.monotonic() + MOVE_WAIT_S
    while any(
        part.address != target.address
        for part in redis.slot_map(cluster.endpoint, [source.address])
        if part.first <= slots[1] and part.last >= slots[0]
    ):
        assert time.monotonic() < until_s, cluster.ask(source, "CLUSTER", "GETSLOTMIGRATIONS")
        time.sleep(0.05)


def move(cluster: TlsCluster, slot: int, source: Node, target: Node) -> None:
    """As redis-cli --cluster reshard does it."""
    cluster.ask(target, "CLUSTER SETSLOT", slot, "IMPORTING", source.identity)
    cluster.ask(source, "CLUSTER SETSLOT", slot, "MIGRATING", target.identity)
    while names := cluster.ask(source, "CLUSTER GETKEYSINSLOT", slot, 100):
        cluster.ask(
            source,
            *("MIGRATE", "127.0.0.1", target.port, "", 0, 2000, "AUTH", PASSWORD, "KEYS", *names),
        )
    for node in (target, source, *cluster.primaries()):
        cluster.ask(node, "CLUSTER SETSLOT", slot, "NODE", target.identity)


def test_a_killed_primary_s_replica_takes_over_within_the_cluster_s_time_and_two_seconds(
    cluster: TlsCluster,
) -> None:
    victim, _ = shard_of_hot_cars(cluster)
    heir = replica_of(cluster, victim)
    others = [node for node in cluster.primaries() if node is not victim]
    sets = {node.name: cluster.calls(node, "set") for node in cluster.nodes}
    copied = 0
    killed_s: list[float] = []
    promoted_s: list[float] = []

    def kill(_: Race, frame: Frame) -> None:
        nonlocal copied
        if frame.elapsed_s >= 0.5 and not killed_s:
            cluster.kill(victim)
            killed_s.append(time.monotonic())
            copied = cluster.calls(heir, "set")
        elif killed_s and not promoted_s:
            owners = {part.address for part in redis.slot_map(cluster.endpoint, alive(cluster))}
            if victim.address not in owners:
                promoted_s.append(time.monotonic())

    ran = run_race(None, settings(cluster, 6.0), interval_s=0.1, on_frame=kill)
    assert promoted_s
    well = [
        frame.at_monotonic_s
        for frame in ran.frames
        if (lane := frame.lanes[0]).state is LaneState.RACING
        and not lane.read.errors
        and not lane.write.errors
        and lane.read.operations
        and lane.write.operations
    ]
    down = [f.lanes[0].state for f in ran.frames if f.at_monotonic_s > killed_s[0]]
    assert LaneState.RECONNECTING in down
    back_s = min(at for at in well if at > promoted_s[0])
    # The promotion is seen at the end of a frame: 0.1 s are the test's own.
    assert back_s - promoted_s[0] <= 2.0
    # Redis Cluster specification: node timeout to suspect, as much again at the most to agree and elect.
    assert back_s - killed_s[0] <= 2 * NODE_TIMEOUT_S + 1.0 + 2.0
    assert ran.states("durable")[-1] is LaneState.DONE
    # The counts of the one that took over are in, without what it copied as a replica.
    total = ran.lanes["durable"]
    after_it = cluster.calls(heir, "set") - copied
    beside_it = sum(cluster.calls(node, "set") - sets[node.name] for node in others)
    before_it = total.server["set_calls"] - after_it - beside_it
    assert after_it > 0
    # Of the dead one, what it had counted when it was last asked: it may not have been asked since the start.
    under_way = SHORT.writers * SHORT.batch
    # The lease and the marker were set before the counters were first read.
    assert -2 <= before_it <= copied - sets[heir.name] + under_way
    assert any(
        f"{victim.address} went down" in caveat for caveat in ran.closing.counter_caveats["durable"]
    )


def counted_the_same(total: LaneSum) -> None:
    """Whether the servers counted what the lane says it did."""
    assert total.server["set_calls"] == total.write.rows > 0
    assert total.server["get_calls"] == total.read.operations > 0
    assert total.server["keyspace_hits"] == total.cache.hits
    assert total.server["keyspace_misses"] == total.cache.misses


def alive(cluster: TlsCluster) -> list[str]:
    return [node.address for node in cluster.nodes if node.process is not None]


def test_reads_go_to_replicas_when_that_is_asked_for_and_writes_do_not(cluster: TlsCluster) -> None:
    primaries = cluster.primaries()
    for primary in primaries:
        replica_of(cluster, primary)
    gets = {node.name: cluster.calls(node, "get") for node in cluster.nodes}
    asked = settings(cluster)
    ran = run_race(None, replace(asked, durable=replace(asked.durable, read_from="replicas")))
    total = ran.lanes["durable"]
    moved = {node.name: cluster.calls(node, "get") - gets[node.name] for node in cluster.nodes}
    at_primaries = sum(moved[node.name] for node in primaries)
    at_replicas = sum(moved.values()) - at_primaries
    assert total.read.operations > 0
    assert at_replicas == total.read.operations
    # Whose the keys are is asked of the primaries before the race, whose marker and lease are, now and then, and for
    # acknowledged rows after it.
    read_back = ran.closing.read_backs["durable"].checked
    assert 0 <= at_primaries - len(STORED_KEYS) - read_back < 10
    assert total.read.errors == total.write.errors == {}
    assert total.redirects == 0
    counted_the_same(total)
    for node in cluster.nodes:
        if node not in primaries:
            assert moved[node.name] > 0


def test_what_is_configured_against_the_server_s_word_is_refused(cluster: TlsCluster) -> None:
    at = cluster.endpoint
    assert resolve_cluster_modes({"durable": LaneEndpoints("durable", redis=at)})[
        "durable"
    ].redis == replace(at, cluster=True)
    alone = LaneEndpoints("durable", redis=replace(at, cluster=False))
    with pytest.raises(PreparationError, match='it is part of a cluster: set cluster to "auto"'):
        resolve_cluster_modes({"durable": alone})


def test_one_cluster_as_cache_and_as_system_of_record_is_refused_by_whatever_names(
    cluster: TlsCluster,
) -> None:
    at = cluster.endpoint
    other = replace(at, host=cluster.nodes[1].name, port=cluster.nodes[1].port)
    lanes = {
        "cached": LaneEndpoints("cached", redis=at),
        "durable": LaneEndpoints("durable", redis=other),
    }
    with pytest.raises(PreparationError, match="one server cannot be the cache of one lane and"):
        resolve_cluster_modes(lanes)


def test_a_cluster_that_cannot_be_reached_is_one_line_that_points_to_doctor(
    cluster: TlsCluster,
) -> None:
    without_map = replace(backend(cluster), address_map=None)
    with pytest.raises(RaceError) as raised, Race(replace(settings(cluster), durable=without_map)):
        pass
    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert f"{cluster.endpoint.host}:{cluster.endpoint.port}" in message
    assert "telemon doctor" in message
    assert PASSWORD not in message
