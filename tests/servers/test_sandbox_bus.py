"""The bus of the private cluster: closed to other users of the machine, and where it cannot be, that is said."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from engines.backends.redis.client import _parse_slot_ranges, client, slot_map, slot_owner
from engines.endpoints.endpoint import RedisEndpoint
from engines.model.caveats import OpenBusReason
from engines.race.race import Race
from engines.results.caveat_text import caveat_sentences
from engines.sandbox import binaries, ports
from engines.sandbox.cluster import bus
from engines.sandbox.ports import BUS_DISTANCE, TLS_DISTANCE
from engines.sandbox.sandbox import Sandbox
from tests.support.intruder import Intruder, intruder, needs_root, run_as_nobody, until
from tests.support.race_run import with_settings

NODES = ("durable-1", "durable-2", "durable-3")
SLOT = 0
JOIN_WAIT_S = 1.5
"""An intruder is in an open cluster within 0.3 s."""


def endpoint_of(sandbox: Sandbox) -> RedisEndpoint:
    endpoint = sandbox.endpoints["durable"].redis
    assert endpoint is not None
    return endpoint


def node_ids(sandbox: Sandbox, name: str = "durable-1") -> set[str]:
    """The nodes that a node of the sandbox knows."""
    at = endpoint_of(sandbox)
    with client(f"{at.host}:{sandbox.servers[name].port}", at) as node:
        known: Any = node.cluster("NODES")
        return {str(each["node_id"]) for each in known.values()}


def meet(who: Intruder, sandbox: Sandbox, *, encrypted: bool) -> None:
    for name in NODES:
        port = sandbox.servers[name].port + (TLS_DISTANCE if encrypted else 0)
        who.command("CLUSTER MEET", ports.HOST, port, port + BUS_DISTANCE)


@needs_root
@pytest.mark.parametrize("tls", [False, True])
def test_another_user_s_node_does_not_get_into_the_cluster(sandbox: Sandbox, tls: bool) -> None:
    """Neither without TLS nor with certificates of its own. That this way in works is shown by the next test."""
    assert sandbox.open_bus is None
    before = {name: node_ids(sandbox, name) for name in NODES}
    assert [len(ids) for ids in before.values()] == [3, 3, 3]
    with intruder(tls=tls) as who:
        meet(who, sandbox, encrypted=True)
        assert not until(lambda: who.known() > 1, JOIN_WAIT_S)
        who.take(SLOT)
        assert {name: node_ids(sandbox, name) for name in NODES} == before
        owner = slot_owner(slot_map(endpoint_of(sandbox)), SLOT)
        assert owner == f"{ports.HOST}:{sandbox.servers['durable-1'].port}"


@pytest.fixture
def open_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A cluster whose openssl makes no certificate."""
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "openssl").write_text("#!/bin/sh\nexit 1\n")
    (broken / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken}{os.pathsep}{os.environ['PATH']}")
    with Sandbox(["durable"], directory=tmp_path) as servers:
        yield servers


@needs_root
def test_an_open_bus_lets_another_user_in_but_no_password_out(open_sandbox: Sandbox) -> None:
    """The attack that the closed bus holds off. Even here telemon signs in to nothing that it did not start."""
    endpoint = endpoint_of(open_sandbox)
    with intruder() as who:
        meet(who, open_sandbox, encrypted=False)
        assert until(lambda: who.known() == 4, 10)
        assert until(lambda: who.identity() in node_ids(open_sandbox), 10)
        # It must know everybody's epoch before its own is the newest.
        assert until(lambda: took(endpoint, who), 10)
        with pytest.raises(RedisError, match="names a node that telemon did not start"):
            slot_map(endpoint)
        with pytest.raises(RedisError, match="is no server that telemon started"):
            client(f"{ports.HOST}:{who.port}", endpoint).ping()
        assert who.asked_for("auth") == 0


def took(endpoint: RedisEndpoint, who: Intruder) -> bool:
    """Have the intruder claim the slot. Return whether a node of the sandbox sends its clients there."""
    who.take(SLOT)
    with client(f"{endpoint.host}:{endpoint.port}", endpoint) as node:
        slots = _parse_slot_ranges(
            node.execute_command("CLUSTER SLOTS"),
            f"{endpoint.host}:{endpoint.port}",
        )
        return slot_owner(slots, SLOT) == f"{ports.HOST}:{who.port}"


def test_an_open_bus_is_in_the_fairness_sheet_and_said_at_the_start(open_sandbox: Sandbox) -> None:
    assert open_sandbox.open_bus is OpenBusReason.OPENSSL_FAILED
    said: list[object] = []
    settings = with_settings(lanes=("durable",), duration_s=0.3)
    with Race(settings, sandbox=open_sandbox, on_progress=said.append) as race:
        (sentence,) = [
            text for text in caveat_sentences(race.environment.caveats) if "without TLS" in text
        ]
    assert "another user of this machine can join the cluster" in sentence
    assert sentence in said


CLIENT = """
import socket, sys
for port in sys.argv[1:]:
    with socket.create_connection(("127.0.0.1", int(port)), 5) as sock:
        takes = "CLUSTER SETSLOT 0 NODE " + "a" * 40
        for command in ("PING", "CLUSTER MEET 127.0.0.1 1 2", takes, "CLUSTER BUMPEPOCH"):
            sock.sendall(command.encode() + b"\\r\\n")
            print(sock.recv(4096).decode().split()[0])
"""

BUS = """
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
for port in sys.argv[1:]:
    for way in ("plain", "tls"):
        try:
            sock = socket.create_connection(("127.0.0.1", int(port)), 5)
            if way == "tls":
                sock = context.wrap_socket(sock)
            sock.sendall(b"RCmb" + bytes(2252))
            # TLS 1.3 refuses a certificate after the handshake: with the first answer.
            print(way, len(sock.recv(4096)))
        except (ssl.SSLError, ConnectionError) as error:
            print(way, 0)
"""


@needs_root
def test_another_user_as_a_client_gets_nothing(sandbox: Sandbox) -> None:
    client_ports = [
        str(server.port) for server in sandbox.servers.values() if "mysql" not in server.name
    ]
    assert set(run_as_nobody(CLIENT, *client_ports)) == {"-NOAUTH"}
    tls_ports = [sandbox.servers[name].port + TLS_DISTANCE for name in NODES]
    buses = [port + BUS_DISTANCE for port in tls_ports]
    replies = run_as_nobody(BUS, *(str(port) for port in (*tls_ports, *buses)))
    assert set(replies) <= {"plain 0", "plain 7", "tls 0"}, replies


def test_the_key_of_the_bus_is_closed_to_others(sandbox: Sandbox) -> None:
    directory = sandbox.directory / "bus"
    assert stat.S_IMODE(sandbox.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = [path for path in directory.iterdir() if path.is_file()]
    assert directory / "node.key" in files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@needs_root
def test_another_user_cannot_read_the_key(sandbox: Sandbox) -> None:
    code = """
import sys
for path in sys.argv[1:]:
    try:
        open(path, "rb").read()
        print("read")
    except PermissionError:
        print("denied")
"""
    key = sandbox.directory / "bus" / "node.key"
    assert (
        run_as_nobody(code, str(key), str(sandbox.directory / "durable-1.conf")) == ["denied"] * 2
    )


def test_every_sandbox_has_a_certificate_of_its_own(tmp_path: Path) -> None:
    binary = binaries.find_redis()
    assert binary is not None
    made = []
    for name in ("one", "other"):
        root = tmp_path / name
        root.mkdir()
        certificate = asyncio.run(bus.secure(named(binary, root), root, None))
        assert isinstance(certificate, bus.BusCertificate)
        made.append(certificate.key.read_bytes())
    assert made[0] != made[1]


def named(binary: binaries.RedisBinary, root: Path) -> Path:
    """The program under the name by which it acts as a server."""
    program = root / binary.run_as
    program.symlink_to(binary.server)
    return program


WITHOUT_TLS = """#!/bin/sh
if grep -q ^tls "$1"; then
    echo "*** FATAL CONFIG FILE ERROR ***"
    echo "Bad directive or wrong number of arguments"
    exit 1
fi
"""


@pytest.mark.parametrize(
    ("openssl", "server", "reason"),
    [
        (None, "real", OpenBusReason.NO_OPENSSL),
        ("#!/bin/sh\nexit 1\n", "real", OpenBusReason.OPENSSL_FAILED),
        ("#!/bin/sh\nexit 0\n", "real", OpenBusReason.OPENSSL_FAILED),
        ("real", WITHOUT_TLS, OpenBusReason.NO_TLS),
        ("real", "missing", OpenBusReason.NO_TLS),
        (
            '#!/bin/sh\nwhile [ "$1" != -out ]; do shift; done\necho junk > "$2"\n',
            "real",
            OpenBusReason.NO_TLS,
        ),
    ],
)
def test_what_keeps_the_bus_open_is_known(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    openssl: str | None,
    server: str,
    reason: OpenBusReason,
) -> None:
    binary = binaries.find_redis()
    assert binary is not None
    if openssl is None:
        monkeypatch.setattr(bus, "OPENSSL", "no-such-openssl")
    elif openssl != "real":
        script(tmp_path / "bin" / "openssl", openssl)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    program = tmp_path / "missing-server"
    if server == "real":
        program = named(binary, tmp_path)
    elif server != "missing":
        program = script(tmp_path / "server", server)
    assert asyncio.run(bus.secure(program, tmp_path, None)) is reason


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path
