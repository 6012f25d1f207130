"""Private Redis or Valkey server: configuration as the cache or as a cluster node, and its state."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from engines.config.memory_need import SIZES_BYTES
from engines.config.settings import MOST_CONNECTIONS
from engines.endpoints.listener import require_own_listener
from engines.model.lanes import LANE_OF, SLOT_OF
from engines.sandbox.binaries import RedisBinary
from engines.sandbox.cluster.bus import BusCertificate, quoted
from engines.sandbox.directory import PROGRAMS, SandboxDirectory, write
from engines.sandbox.ports import BUS_DISTANCE, HOST, TLS_DISTANCE
from engines.sandbox.spec import ServerSpec
from engines.wire.resp import SLOTS

MOST_CLIENTS = 2 * MOST_CONNECTIONS + 256
"""Clients that a server takes: all writers and readers that a lane can have, and those of the cluster's bus and of
telemon itself."""

ANSWER_WAIT_S = 1.0
"""Timeout in seconds for the reply to one command of a readiness check."""

CACHE = """\
save ""
appendonly no
maxmemory-policy allkeys-lru
"""
"""Configuration of a cache: no persistence, and eviction when memory is full."""

NODE = """\
save ""
appendonly yes
appendfsync always
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout 1000
cluster-require-full-coverage no
cluster-announce-ip 127.0.0.1
"""
"""Configuration of a cluster node that stands in for a MemoryDB node.

A write is on disk before it is acknowledged. A lost node is detected within two seconds, and the other nodes then
continue to serve their own slots.
"""


def server_spec(
    binary: RedisBinary,
    sandbox: SandboxDirectory,
    name: str,
    port: int,
    password: str,
    cache_bytes: int = SIZES_BYTES[0],
) -> ServerSpec:
    """Return the spec of the server `name`, the cache or a cluster node, and write its files except `nodes.conf`.

    `cache_bytes` is how much the cache may hold; a cluster node has no limit.
    """
    lane = LANE_OF[name]
    cache = SLOT_OF[name].role == "cache"
    directory = sandbox.root / name
    directory.mkdir()
    # The program looks at the name it was started by, and the process list shows that name.
    program = sandbox.root / PROGRAMS / binary.run_as
    if not program.is_symlink():
        program.symlink_to(binary.server)
    configuration = sandbox.root / f"{name}.conf"
    write(
        configuration,
        f"bind {HOST}\n"
        f"port {port}\n"
        f"dir {quoted(directory)}\n"
        f"maxclients {MOST_CLIENTS}\n"
        f"requirepass {password}\n"
        f"masterauth {password}\n" + (f"maxmemory {cache_bytes}\n{CACHE}" if cache else NODE),
    )
    role = "cache" if cache else f"cluster node {name.rpartition('-')[2]}"
    return ServerSpec(
        name=name,
        lane=lane,
        title=f"{binary.product} {role} for lane {lane}",
        program=program,
        arguments=(str(configuration),),
        directory=directory,
        log=sandbox.root / f"{name}.log",
        port=port,
        password=password,
    )


def encrypt_bus(node: ServerSpec, certificate: BusCertificate) -> None:
    """Extend the configuration of `node`: its bus takes only peers that present `certificate`.

    Clients keep the port without TLS: CLUSTER SLOTS and redirects name it to a client that came without TLS.
    """
    with Path(node.arguments[0]).open("a", encoding="utf-8") as configuration:
        configuration.write(f"tls-port {node.port + TLS_DISTANCE}\n{certificate.directives()}")


def form_cluster(nodes: Iterable[ServerSpec], *, encrypted: bool) -> None:
    """Write the `nodes.conf` of every node, as if the nodes had formed a cluster long ago.

    The format is that of CLUSTER NODES. With an encrypted bus it holds the ports for TLS, and the nodes tell each other
    the others over the bus. Performance: without a handshake between the nodes the cluster is ready after
    the two seconds for which a node refuses writes after any start (CLUSTER_WRITABLE_DELAY in Redis' cluster.c).
    """
    primaries = list(nodes)
    ids = [secrets.token_hex(20) for _ in primaries]
    for myself in range(len(primaries)):
        lines = []
        for at, node in enumerate(primaries):
            first, end = SLOTS * at // len(primaries), SLOTS * (at + 1) // len(primaries)
            flags = "myself,master" if at == myself else "master"
            port = node.port + TLS_DISTANCE if encrypted else node.port
            address = f"{HOST}:{port}@{port + BUS_DISTANCE}"
            lines.append(f"{ids[at]} {address} {flags} - 0 0 {at + 1} connected {first}-{end - 1}")
        lines.append(f"vars currentEpoch {len(primaries)} lastVoteEpoch 0")
        write(primaries[myself].directory / "nodes.conf", "\n".join(lines) + "\n")


async def server_info(spec: ServerSpec) -> Mapping[str, str] | None:
    """Return the section `server` of INFO, or None while this server does not answer.

    A server that is still loading its data answers.
    """
    return await _send_command(spec, "INFO server")


async def cluster_info(spec: ServerSpec) -> Mapping[str, str] | None:
    """Return the fields of CLUSTER INFO, or None while this server does not answer."""
    return await _send_command(spec, "CLUSTER INFO")


def cluster_ready(info: Mapping[str, str] | None) -> bool:
    """Return whether the node with this CLUSTER INFO accepts writes and knows an owner for every slot."""
    return (
        info is not None
        and info.get("cluster_state") == "ok"
        and info.get("cluster_slots_ok") == str(SLOTS)
    )


async def _send_command(spec: ServerSpec, command: str) -> Mapping[str, str] | None:
    try:
        reader, writer = await asyncio.open_connection(HOST, spec.port)
    except OSError:
        return None
    try:
        async with asyncio.timeout(ANSWER_WAIT_S):
            # A foreign process may have taken this port: another user's gets no password, and one of
            # this user rejects it, which ends the check.
            require_own_listener(writer.get_extra_info("socket"))
            writer.write(f"AUTH {spec.password}\r\n{command}\r\n".encode())
            if await reader.readline() != b"+OK\r\n":
                return None
            head = await reader.readline()
            if not head.startswith(b"$"):
                return None
            text = (await reader.readexactly(int(head[1:]))).decode("utf-8", "replace")
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return None
    finally:
        writer.close()
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {key: value for key, _, value in pairs}
