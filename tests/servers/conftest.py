"""Servers for tests that break them: the sandbox of all tests, and a cluster of one's own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from signal import SIGCONT

import pymysql
import pytest
import redis

from engines.backends.redis.client import seed
from engines.model.lanes import LANE_OF
from engines.provisioning.seed import SEED_VERSION
from engines.sandbox.errors import SandboxError
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from tests.support.tls_cluster import TlsCluster, tls_cluster

WHOLE_WAIT_S = 15.0


@pytest.fixture(scope="module")
def seeded_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsCluster]:
    """A TLS cluster with replicas and the hot cars in it."""
    with tls_cluster(tmp_path_factory.mktemp("cluster")) as made:
        seed(made.endpoint, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
        yield made


@pytest.fixture
def cluster(seeded_cluster: TlsCluster) -> Iterator[TlsCluster]:
    """The same, whole before the test and after it."""
    yield seeded_cluster
    seeded_cluster.heal()


@pytest.fixture
def breakable(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The same servers for a test that stops or kills some: afterwards all of them run again, the cluster whole."""
    yield sandbox
    make_whole(sandbox)


def make_whole(sandbox: Sandbox) -> None:
    """Start what is dead, wake what is stopped, and wait until every server answers and the cluster takes writes for
    every slot. What does not come back is named when all has been tried."""
    troubles: dict[str, str] = {}
    for name in sandbox.servers:
        with suppress(SandboxError):  # dead, and maybe not known to be
            sandbox.kill(name, SIGCONT)
    until_s = time.monotonic() + WHOLE_WAIT_S
    waiting = list(sandbox.servers)
    while waiting:
        for name in sandbox.down() - troubles.keys():
            try:
                sandbox.start_server(name)
            except SandboxError as error:
                troubles[name] = str(error)
        # No node of a cluster is as it should be before all of them are.
        waiting = [name for name in waiting if name not in troubles and not _answers(sandbox, name)]
        if waiting and time.monotonic() > until_s:
            troubles |= {name: f"{name} does not answer as it should" for name in waiting}
            break
        time.sleep(0.05)
    assert not troubles, "; ".join(troubles.values())


def _answers(sandbox: Sandbox, name: str) -> bool:
    lane = sandbox.endpoints[LANE_OF[name]]
    if name.endswith("mysql"):
        at = lane.mysql
        assert at is not None
        try:
            connection = pymysql.connect(
                host=at.host,
                port=at.port,
                user=at.user,
                password=at.password,
                database=at.database,
                connect_timeout=1,
                read_timeout=1,
                ssl_disabled=True,
            )
        except pymysql.MySQLError:
            return False
        connection.close()
        return True
    assert lane.redis is not None
    node = redis.Redis(
        lane.redis.host,
        sandbox.servers[name].port,
        password=lane.redis.password,
        protocol=2,
        socket_timeout=1,
    )
    try:
        if name == "cache":
            return bool(node.ping())
        info = node.cluster("INFO")
    except redis.RedisError:
        return False
    finally:
        node.close()
    return bool(info["cluster_state"] == "ok" and info["cluster_slots_ok"] == "16384")
