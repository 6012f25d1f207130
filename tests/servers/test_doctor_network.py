"""The doctor on what lies before a server's own protocol: names, connections, who is there at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from threading import Thread

import pytest

from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint, TlsOptions
from engines.sandbox.sandbox import Sandbox
from tests.support.diagnosis import diagnose

HOST = "127.0.0.1"


def endpoints(host: str, port: int) -> dict[str, MySQLEndpoint | RedisEndpoint]:
    return {
        "mysql": MySQLEndpoint(host, port, "u", "p", "d"),
        "mysql, tls": MySQLEndpoint(host, port, "u", "p", "d", tls=TlsOptions()),
        "redis": RedisEndpoint(host, port, "p"),
        "redis, tls": RedisEndpoint(host, port, "p", tls=TlsOptions()),
    }


KINDS = sorted(endpoints(HOST, 1))


@contextmanager
def listener(backlog: int = 16) -> Iterator[socket.socket]:
    with closing(socket.socket()) as sock:
        sock.bind((HOST, 0))
        sock.listen(backlog)
        yield sock


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_does_not_resolve(kind: str) -> None:
    # RFC 6761: no name under .invalid ever resolves.
    found = diagnose(endpoints("db.nowhere.invalid", 6379)[kind])
    assert found.problems == ["unresolved"]
    assert found.failed.name == "name resolution"
    assert "db.nowhere.invalid" in found.failed.finding


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_listening(kind: str) -> None:
    with closing(socket.socket()) as held:
        held.bind((HOST, 0))  # and not listening
        found = diagnose(endpoints(HOST, held.getsockname()[1])[kind])
    assert found.problems == ["refused"]
    assert found.failed.name == "TCP"


def test_a_listener_that_never_answers_and_one_that_never_accepts() -> None:
    """The waits are long, so all are waited for at once."""
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        mute = stack.enter_context(listener())
        full = stack.enter_context(listener(0))
        # A full queue of connections is, from outside, what a security group does: packets go unanswered.
        for _ in range(4):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        silent = {
            kind: pool.submit(diagnose, at)
            for kind, at in endpoints(HOST, mute.getsockname()[1]).items()
        }
        unreachable = {
            kind: pool.submit(diagnose, at)
            for kind, at in endpoints(HOST, full.getsockname()[1]).items()
        }
        for found in silent.values():
            assert found.result().problems == ["silent"]
            assert found.result().failed.name != "TCP"
        for found in unreachable.values():
            assert found.result().problems == ["unreachable"]
            assert found.result().failed.name == "TCP"
            assert "security group" in found.result().failed.next_step


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_hangs_up_as_the_near_end_of_a_tunnel_to_nowhere_does(kind: str) -> None:
    with listener() as sock:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = sock.accept()
                except OSError:
                    return
                # Before it closes it takes what is said, or that would be a reset of the connection.
                connection.settimeout(0.2)
                with closing(connection), suppress(OSError):
                    connection.recv(4096)

        Thread(target=hang_up, daemon=True).start()
        found = diagnose(endpoints(HOST, sock.getsockname()[1])[kind])
    assert found.problems == ["hung_up"]
    assert "tunnel" in found.failed.next_step


@pytest.mark.parametrize("kind", ["redis", "redis, tls"])
def test_a_redis_endpoint_that_is_a_mysql_server(sandbox: Sandbox, kind: str) -> None:
    found = diagnose(endpoints(HOST, sandbox.servers["mysql"].port)[kind])
    assert found.problems == ["not_redis"]


def test_a_mysql_endpoint_that_is_something_else() -> None:
    with listener() as sock:

        def be_ssh() -> None:
            connection, _ = sock.accept()
            with closing(connection), suppress(OSError):
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                connection.recv(100)

        Thread(target=be_ssh, daemon=True).start()
        found = diagnose(endpoints(HOST, sock.getsockname()[1])["mysql"])
    assert found.problems == ["not_mysql"]
