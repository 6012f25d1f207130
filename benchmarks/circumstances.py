"""What a run of the benchmarks depends on beside telemon: the machine, the interpreter, the peers, the servers."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from engines.race.machine import machine_facts
from engines.sandbox.sandbox import RunningServer

PEERS = ("redis-benchmark", "sysbench")
"""The programs that telemon is measured beside."""


def circumstances(
    servers: Mapping[str, RunningServer], pairs: int, seconds: float
) -> dict[str, Any]:
    """By name, as the JSON of a run has them: `pairs` of `seconds` each, the machine, the peers as they state
    themselves, and the servers."""
    return {
        "pairs": pairs,
        "seconds": seconds,
        "machine": asdict(machine_facts()),
        "peers": {peer: _version(peer) for peer in PEERS},
        "servers": {name: f"{server.product} {server.version}" for name, server in servers.items()},
    }


def sentence(under: Mapping[str, Any]) -> str:
    """The same in a line: what would make two runs differ."""
    host = under["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in host["versions"].items())
    servers = ", ".join(sorted(set(under["servers"].values())))
    return (
        f"{under['pairs']} pairs of {under['seconds']:g} s on {host['cpus_allowed']} processors, {host['system']}; "
        f"{versions}; {', '.join(under['peers'].values())}; {servers}"
    )


def _version(peer: str) -> str:
    """What a peer says of its version, without what it says of its build."""
    ran = subprocess.run(
        [peer, "--version"], capture_output=True, text=True, timeout=10, check=True
    )
    return " ".join(ran.stdout.split()[:2])
