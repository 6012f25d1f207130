"""Redis over TLS 1.3 without a password: session tickets that wait unread after the handshake are no reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from engines.backends.redis.client import address_of, client, nodes, open_socket
from engines.backends.redis.counters import RedisCounters
from engines.endpoints.endpoint import RedisEndpoint
from tests.support.diagnosis import diagnose
from tests.support.tls_cluster import tls_cluster
from tests.support.tls_servers import Certificates, sealed_redis

CONNECTIONS = 200
"""On loopback, 17 to 40 % of them failed."""

MUTE = 'rename-command CLIENT ""\n'
"""Such a server is told nothing when a connection is opened, so that nobody reads before the first command."""

Opened = Callable[[str, RedisEndpoint], None]


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisEndpoint]:
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    directory = tmp_path_factory.mktemp("redis")
    with sealed_redis(certificates, directory, password="", more=MUTE) as server:
        yield server.endpoint


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisEndpoint]:
    with tls_cluster(tmp_path_factory.mktemp("cluster"), password="", more=MUTE) as made:
        yield made.endpoint


def ask(address: str, at: RedisEndpoint) -> None:
    with client(address, at) as node:
        assert node.get("telemon:nobody") is None


def race(address: str, at: RedisEndpoint) -> None:
    with open_socket(address, at) as sock:
        sock.sendall(b"PING\r\n")
        assert sock.recv(7) == b"+PONG\r\n"


@pytest.mark.parametrize("opened", [ask, race], ids=["redis-py", "driver"])
def test_no_connection_to_a_server_fails(standalone: RedisEndpoint, opened: Opened) -> None:
    for _ in range(CONNECTIONS):
        opened(address_of(standalone), standalone)


def test_no_connection_to_a_cluster_fails(cluster: RedisEndpoint) -> None:
    primaries = nodes(cluster)
    for number in range(CONNECTIONS):
        address = primaries[number % len(primaries)]
        with client(address, cluster) as node:
            assert node.ping()


def test_the_doctor_and_the_counters_connect_to_every_node(cluster: RedisEndpoint) -> None:
    for _ in range(5):
        found = diagnose(cluster, cache=True)
        assert found.problems == [], found.checks
        counters = RedisCounters(replace(cluster, cluster=True))
        assert len(counters.read()) >= 3
        counters.close()
