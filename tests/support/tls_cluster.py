"""A Redis Cluster that speaks nothing but TLS: three primaries with a replica each, called by host names.

The names lead nowhere on this machine, as those of a managed cluster do on the far side of a tunnel: a map of
addresses is the only way in, and the certificates are for the names alone.
"""

from __future__ import annotations

import random
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from engines.backends.redis.client import client
from engines.endpoints.endpoint import RedisEndpoint, TlsOptions
from engines.sandbox import binaries, ports
from tests.support.certificates import Authority

SHARDS = 3
PASSWORD = "s3cret-of-the-cluster"
NODE_TIMEOUT_S = 1.0
START_WAIT_S = 20.0
SLOTS = 16_384


@dataclass
class Node:
    """A node by the name that the cluster gives it."""

    name: str
    port: int
    identity: str
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.name}:{self.port}"


class TlsCluster:
    """The nodes: primaries first, then the replica of each."""

    def __init__(self, nodes: list[Node], authority: Authority, password: str = PASSWORD) -> None:
        self.nodes = nodes
        self.endpoint = RedisEndpoint(
            nodes[0].name,
            nodes[0].port,
            password,
            tls=TlsOptions(authority.file),
            address_map=tuple((n.address, f"{ports.HOST}:{n.port}") for n in nodes),
        )

    def ask(self, node: Node, *command: Any) -> Any:
        with client(node.address, self.endpoint) as asked:
            return asked.execute_command(*command)

    def role(self, node: Node) -> str:
        return str(self.ask(node, "ROLE")[0].decode())

    def primaries(self) -> list[Node]:
        return [n for n in self.nodes if n.process and self.role(n) == "master"]

    def calls(self, node: Node, command: str) -> int:
        """How often a node was given a command."""
        with client(node.address, self.endpoint) as asked:
            stats: Any = asked.info("commandstats")
            return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))

    def kill(self, node: Node) -> None:
        assert node.process is not None
        node.process.kill()
        node.process.wait(10)
        node.process = None

    def start(self, node: Node) -> None:
        with (node.directory / "log").open("ab") as log:
            node.process = subprocess.Popen(
                [str(node.directory / "redis-server"), str(node.directory / "redis.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def heal(self) -> None:
        """Start what is dead and wait until all nodes agree, every slot is served and every replica has caught up."""
        for node in self.nodes:
            if node.process is None:
                self.start(node)
        until = time.monotonic() + START_WAIT_S
        while not all(self._well(node) for node in self.nodes):
            assert time.monotonic() < until, "the cluster does not become whole"
            time.sleep(0.05)

    def _well(self, node: Node) -> bool:
        try:
            info = self.ask(node, "CLUSTER INFO")
            role = self.ask(node, "ROLE")
        except (redis.RedisError, OSError):
            return False
        state = dict(line.split(":", 1) for line in _text(info).split())
        whole = state["cluster_state"] == "ok" and state["cluster_slots_ok"] == str(SLOTS)
        if role[0] == b"master":
            return whole and len(role[2]) == 1
        return whole and role[3] == b"connected"


def _text(reply: Any) -> str:
    # redis-py reads this reply into a dict when it is asked by its name.
    if isinstance(reply, dict):
        return "\n".join(f"{key}:{value}" for key, value in reply.items())
    return bytes(reply).decode()


@contextmanager
def tls_cluster(
    directory: Path, *, password: str = PASSWORD, more: str = ""
) -> Iterator[TlsCluster]:
    """Three primaries and three replicas, all of them up. `more` are further lines of their configuration."""
    authority = Authority(directory, "authority")
    certificates = authority.pair("nodes", of=("*.cluster.test",))
    binary = binaries.find_redis()
    assert binary is not None
    base = _base()
    nodes = []
    for index in range(2 * SHARDS):
        place = directory / f"node-{index}"
        place.mkdir()
        (place / "redis-server").symlink_to(binary.server)
        node = Node(f"node-{index}.cluster.test", base + index, secrets.token_hex(20), place)
        (place / "redis.conf").write_text(
            f"bind {ports.HOST}\nport 0\ntls-port {node.port}\ndir {place}\n"
            f"tls-cert-file {certificates.certificate}\ntls-key-file {certificates.key}\n"
            f"tls-ca-cert-file {authority.file}\ntls-auth-clients no\n"
            "tls-cluster yes\ntls-replication yes\n"
            + (f"requirepass {password}\nmasterauth {password}\n" if password else "")
            + 'save ""\nappendonly no\nrepl-diskless-sync-delay 0\n'
            "cluster-enabled yes\ncluster-config-file nodes.conf\n"
            f"cluster-node-timeout {NODE_TIMEOUT_S * 1000:.0f}\ncluster-require-full-coverage no\n"
            f"cluster-announce-ip {ports.HOST}\ncluster-announce-hostname {node.name}\n"
            "cluster-preferred-endpoint-type hostname\n" + more
        )
        nodes.append(node)
    for node in nodes:
        (node.directory / "nodes.conf").write_text(_known(nodes, node))
    cluster = TlsCluster(nodes, authority, password)
    try:
        cluster.heal()
        yield cluster
    finally:
        for node in nodes:
            if node.process is not None:
                cluster.kill(node)


def _known(nodes: list[Node], myself: Node) -> str:
    """The nodes.conf of a cluster formed long ago, as CLUSTER NODES has it."""
    lines = []
    for index, node in enumerate(nodes):
        shard = index % SHARDS
        primary = index < SHARDS
        first, last = SLOTS * shard // SHARDS, SLOTS * (shard + 1) // SHARDS - 1
        lines.append(
            f"{node.identity} {ports.HOST}:{node.port}@{node.port + ports.BUS_DISTANCE},{node.name} "
            f"{'myself,' if node is myself else ''}{'master' if primary else 'slave'} "
            f"{'-' if primary else nodes[shard].identity} 0 0 {shard + 1} connected"
            + (f" {first}-{last}" if primary else "")
        )
    lines.append(f"vars currentEpoch {SHARDS} lastVoteEpoch 0")
    return "\n".join(lines) + "\n"


def _base() -> int:
    for _ in range(200):
        base = random.randint(ports.LOWEST_BASE, ports.HIGHEST_BASE)
        taken = [port for index in range(2 * SHARDS) for port in (base + index,)]
        if all(ports.free(port) and ports.free(port + ports.BUS_DISTANCE) for port in taken):
            return base
    raise AssertionError("no free ports in a row")
