"""A private Redis or Valkey: its configuration, as the cache or as a node of the cluster, and what it answers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from engines.model.lanes import LANE_OF
from engines.sandbox.binaries import RedisBinary
from engines.sandbox.directory import PROGRAMS, SandboxDirectory, write
from engines.sandbox.ports import BUS_DISTANCE, HOST
from engines.sandbox.spec import ServerSpec
from engines.wire.resp import SLOTS

ANSWER_WAIT_S = 1.0

CACHE = """\
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
"""
"""A cache: it keeps nothing, and makes room by itself."""

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
"""A node that stands in for one of MemoryDB: a write is on disk before it is acknowledged, a lost node is known to
be lost within two seconds, and the others then go on with their own slots."""


def server_spec(
    binary: RedisBinary, sandbox: SandboxDirectory, name: str, port: int, password: str
) -> ServerSpec:
    """The server `name`, the cache or a node; writes its files but `nodes.conf`."""
    lane = LANE_OF[name]
    directory = sandbox.root / name
    directory.mkdir()
    # The program looks at the name it was started by, and goes by that name in the process list.
    program = sandbox.root / PROGRAMS / binary.run_as
    if not program.is_symlink():
        program.symlink_to(binary.server)
    configuration = sandbox.root / f"{name}.conf"
    write(
        configuration,
        f"bind {HOST}\n"
        f"port {port}\n"
        f"dir {_quoted(directory)}\n"
        f"requirepass {password}\n"
        f"masterauth {password}\n"
        f"{CACHE if name == 'cache' else NODE}",
    )
    role = "cache" if name == "cache" else f"cluster node {name.rpartition('-')[2]}"
    return ServerSpec(
        name=name,
        lane=lane,
        title=f"Redis {role} for lane {lane}",
        program=program,
        arguments=(str(configuration),),
        directory=directory,
        log=sandbox.root / f"{name}.log",
        port=port,
        password=password,
    )


def form_cluster(nodes: Iterable[ServerSpec]) -> None:
    """Write to each node what it would know of the others in a cluster formed long ago.

    Sparing the nodes the introduction makes the cluster ready after the two seconds for which a node refuses
    writes after any start (CLUSTER_WRITABLE_DELAY in Redis' cluster.c). The format is that of CLUSTER NODES.
    """
    primaries = list(nodes)
    ids = [secrets.token_hex(20) for _ in primaries]
    for myself in range(len(primaries)):
        lines = []
        for at, node in enumerate(primaries):
            first, end = SLOTS * at // len(primaries), SLOTS * (at + 1) // len(primaries)
            flags = "myself,master" if at == myself else "master"
            address = f"{HOST}:{node.port}@{node.port + BUS_DISTANCE}"
            lines.append(f"{ids[at]} {address} {flags} - 0 0 {at + 1} connected {first}-{end - 1}")
        lines.append(f"vars currentEpoch {len(primaries)} lastVoteEpoch 0")
        write(primaries[myself].directory / "nodes.conf", "\n".join(lines) + "\n")


async def server_info(spec: ServerSpec) -> Mapping[str, str] | None:
    """INFO's section `server`; None as long as this very server does not answer. One that still loads its data does."""
    return await _send_command(spec, "INFO server")


async def cluster_info(spec: ServerSpec) -> Mapping[str, str] | None:
    """CLUSTER INFO; None as long as this very server does not answer it."""
    return await _send_command(spec, "CLUSTER INFO")


def cluster_ready(info: Mapping[str, str] | None) -> bool:
    """Whether a node that says `info` takes writes and knows of an owner for every slot."""
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
            # A stranger on our port does not know the password, and its refusal ends this.
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


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
