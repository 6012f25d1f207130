"""Races of lane durable on a TLS Redis Cluster with replicas, as a configuration names it."""

from __future__ import annotations

import time
from dataclasses import replace

from engines.backends.redis import client as redis
from engines.config import race_config as config
from engines.config.server_config import RedisConfig
from tests.support.race_run import SHORT
from tests.support.tls_cluster import PASSWORD, Node, TlsCluster


def backend(cluster: TlsCluster) -> RedisConfig:
    """The cluster as a configuration names it."""
    at = cluster.endpoint
    assert at.tls is not None
    return RedisConfig(
        host=at.host,
        port=at.port,
        password=PASSWORD,
        tls_ca=at.tls.ca_file,
        address_map=at.address_map,
    )


def settings(cluster: TlsCluster, duration_s: float = 1.0) -> config.RaceConfig:
    return replace(SHORT, lanes=("durable",), durable=backend(cluster), duration_s=duration_s)


def replica_of(cluster: TlsCluster, primary: Node) -> Node:
    until = time.monotonic() + 10
    while True:
        for part in redis.slot_map(cluster.endpoint):
            if part.address == primary.address and part.replicas:
                return next(node for node in cluster.nodes if node.address == part.replicas[0])
        assert time.monotonic() < until, "the cluster does not show its replicas"
        time.sleep(0.1)
