"""Another user of this machine, who wants the sandbox's cluster: what such a user can do, done as that user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from engines.sandbox import binaries, ports
from tests.support.certificates import Authority

NOBODY = 65_534
"""The user, and the group."""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: something must be done as another user"
)

AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}


@dataclass(frozen=True)
class Intruder:
    """A node of that user's own, on `port`; `client` is signed in to it. Its commands are that user's."""

    port: int
    client: Redis

    def command(self, *words: str | int) -> Any:
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def identity(self) -> str:
        return str(self.command("CLUSTER MYID").decode())

    def known(self) -> int:
        """How many nodes of a cluster answered this one."""
        nodes: Any = self.client.cluster("NODES")
        return sum("handshake" not in node["flags"] for node in nodes.values())

    def take(self, slot: int) -> None:
        """Claim `slot` with a newer epoch than that of any node it knows, as a node that won an election does."""
        self.command("CLUSTER SETSLOT", slot, "NODE", self.identity())
        self.command("CLUSTER BUMPEPOCH")

    def asked_for(self, command: str) -> int:
        """How often anybody gave `command` to this node."""
        stats: Any = self.client.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))


@contextmanager
def intruder(*, tls: bool = False) -> Iterator[Intruder]:
    """Start a cluster node as another user; with `tls` its bus is encrypted, with certificates of that user's own."""
    binary = binaries.find_redis()
    assert binary is not None
    # pytest's directories are closed to others.
    directory = Path(tempfile.mkdtemp(prefix="intruder-", dir="/tmp"))
    base = ports.choose(["durable-1"], None)["durable-1"]
    lines = f'port {base}\nbind {ports.HOST}\ndir {directory}\nsave ""\ncluster-enabled yes\n'
    if tls:
        authority = Authority(directory, "authority")
        pair = authority.pair("node", of=(ports.HOST,))
        lines += f"tls-port {base + ports.TLS_DISTANCE}\ntls-cluster yes\n"
        lines += f"tls-cert-file {pair.certificate}\ntls-key-file {pair.key}\n"
        lines += f"tls-ca-cert-file {authority.file}\n"
    (directory / "node.conf").write_text(lines)
    for path in (directory, *directory.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    process = subprocess.Popen(
        [binary.run_as, str(directory / "node.conf")],
        executable=binary.server,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **AS_NOBODY,
    )
    try:
        with Redis(ports.HOST, base, protocol=2) as client:
            assert until(lambda: _answers(client), 10), "the intruder's server does not start"
            yield Intruder(base, client)
    finally:
        process.kill()
        process.wait(10)
        shutil.rmtree(directory, ignore_errors=True)


def run_as_nobody(code: str, *argv: str) -> list[str]:
    """Run Python code as that user, with nothing but the standard library. Return the lines that it prints."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [os.path.realpath(sys.executable), "-I", "-c", code, *argv],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **AS_NOBODY,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def until(condition: Callable[[], bool], within_s: float) -> bool:
    """Wait until `condition` holds, for at most `within_s`. Return whether it does."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except OSError:
        return False
    except Exception as error:
        # redis-py's own errors of a server that does not listen yet, or still loads.
        return isinstance(error, AssertionError)
