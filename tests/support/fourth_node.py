"""A node that joins a private cluster, by somebody who may read the sandbox's files; and slots that move to it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from engines.backends.redis.client import client
from engines.endpoints.endpoint import RedisEndpoint
from engines.sandbox import ports
from engines.sandbox.ports import BUS_DISTANCE, TLS_DISTANCE
from engines.sandbox.sandbox import Sandbox

JOIN_WAIT_S = 15.0


@dataclass(frozen=True)
class Grown:
    """The nodes of a cluster by port, the new one last."""

    nodes: dict[int, Redis]
    password: str

    @property
    def port(self) -> int:
        return [*self.nodes][-1]

    def move(self, slots: Iterable[int], source_port: int) -> None:
        """Move slots to the new node, as redis-cli --cluster reshard does."""
        source, target = self.nodes[source_port], self.nodes[self.port]
        here, there = _text(source, "MYID"), _text(target, "MYID")
        keys = ("", 0, 2000, "AUTH", self.password, "KEYS")
        for slot in slots:
            _ask(target, "SETSLOT", slot, "IMPORTING", here)
            _ask(source, "SETSLOT", slot, "MIGRATING", there)
            while names := _ask(source, "GETKEYSINSLOT", slot, 100):
                source.execute_command(  # type: ignore[no-untyped-call]
                    "MIGRATE", ports.HOST, self.port + TLS_DISTANCE, *keys, *names
                )
            for node in (target, source, *self.nodes.values()):
                _ask(node, "SETSLOT", slot, "NODE", there)


@contextmanager
def fourth_node(sandbox: Sandbox, endpoint: RedisEndpoint) -> Iterator[Grown]:
    """Start a node without slots and let it join the cluster at `endpoint`; return when every node knows it."""
    first = sandbox.servers["durable-1"].port
    port = ports.choose(["durable-1"], None)["durable-1"]
    place = sandbox.directory / "durable-4"
    place.mkdir()
    configuration = (sandbox.directory / "durable-1.conf").read_text()
    for line, changed in (
        (f"port {first}\n", f"port {port}\n"),
        (f"tls-port {first + TLS_DISTANCE}\n", f"tls-port {port + TLS_DISTANCE}\n"),
        (f'dir "{sandbox.directory / "durable-1"}"', f'dir "{place}"'),
    ):
        assert line in configuration
        configuration = configuration.replace(f"\n{line}", f"\n{changed}")
    (sandbox.directory / "durable-4.conf").write_text(configuration)
    (program,) = (sandbox.directory / "bin").glob("*-server")
    process = subprocess.Popen(
        [program, str(sandbox.directory / "durable-4.conf")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        with ExitStack() as stack:
            numbers = [sandbox.servers[f"durable-{n}"].port for n in (1, 2, 3)] + [port]
            nodes = {
                number: stack.enter_context(client(f"{ports.HOST}:{number}", endpoint))
                for number in numbers
            }
            until_s = time.monotonic() + JOIN_WAIT_S
            while not _joined(nodes, first, port):
                assert time.monotonic() < until_s, "the fourth node does not join"
                time.sleep(0.05)
            yield Grown(nodes, endpoint.password)
    finally:
        process.kill()
        process.wait(10)


def _joined(nodes: dict[int, Redis], first: int, port: int) -> bool:
    try:
        tls_port = first + TLS_DISTANCE
        _ask(nodes[port], "MEET", ports.HOST, tls_port, tls_port + BUS_DISTANCE)
        infos: list[Any] = [node.cluster("INFO") for node in nodes.values()]
    except RedisError:
        return False
    return all(
        (info["cluster_known_nodes"], info["cluster_state"]) == ("4", "ok") for info in infos
    )


def _ask(node: Redis, *words: str | int) -> Any:
    return node.execute_command("CLUSTER", *words)  # type: ignore[no-untyped-call]


def _text(node: Redis, word: str) -> str:
    return str(_ask(node, word).decode())
