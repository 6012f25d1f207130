"""The doctor on a cluster as AWS has them: TLS only, with replicas, and nodes by names that lead nowhere from here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from engines.backends.redis.client import slot_map
from engines.endpoints.endpoint import LaneEndpoints
from engines.provisioning.prepare import plan
from tests.support.diagnosis import diagnose
from tests.support.tls_cluster import TlsCluster, tls_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsCluster]:
    with tls_cluster(tmp_path_factory.mktemp("cluster")) as made:
        for change in plan({"durable": LaneEndpoints("durable", redis=made.endpoint)}, 1).changes:
            change.apply()
        until = time.monotonic() + 10
        for node in made.primaries():  # until the news of the replicas has gone round
            here = replace(made.endpoint, host=node.name, port=node.port)
            while not all(part.replicas for part in slot_map(here)):
                assert time.monotonic() < until
                time.sleep(0.05)
        yield made


@pytest.mark.parametrize("replicas", [False, True])
def test_a_cluster_in_order_but_for_its_disk(cluster: TlsCluster, replicas: bool) -> None:
    found = diagnose(replace(cluster.endpoint, read_replicas=replicas), cache=False)
    # It keeps nothing on disk, so that it starts sooner.
    assert found.problems == ["not_durable"]
    assert "3 primaries serve all 16,384 slots, 3 replicas" in found.named("cluster coverage").found
    nodes = found.named("cluster nodes").found
    assert f"all {6 if replicas else 3} answer, through address_map" in nodes


def test_a_node_that_the_map_forgot(cluster: TlsCluster) -> None:
    forgotten = cluster.primaries()[1]
    ways = [pair for pair in cluster.endpoint.address_map if pair[0] != forgotten.address]
    found = diagnose(replace(cluster.endpoint, address_map=tuple(ways)), cache=False)
    assert found.problems == ["node_unmapped"]
    assert forgotten.address in found.failed.found


def test_a_certificate_that_is_not_for_the_nodes(cluster: TlsCluster) -> None:
    """As through a tunnel whose near end is taken for the server."""
    near = cluster.endpoint.address_map[0][1].partition(":")
    at = replace(cluster.endpoint, host=near[0], port=int(near[2]))
    found = diagnose(at, cache=False)
    assert found.problems == ["wrong_host_name"]
    assert "it is for *.cluster.test" in found.failed.found


def test_a_replica_that_is_dead_matters_to_those_who_read_from_it(cluster: TlsCluster) -> None:
    replica = next(node for node in cluster.nodes if cluster.role(node) == "slave")
    cluster.kill(replica)
    try:
        alone = diagnose(cluster.endpoint, cache=False)
        reading = diagnose(replace(cluster.endpoint, read_replicas=True), cache=False)
    finally:
        cluster.heal()
    assert alone.problems == ["not_durable"]
    assert reading.problems == ["node_unreachable"]
    assert f"1 of 6 nodes cannot be reached: {replica.address}" in reading.failed.found
