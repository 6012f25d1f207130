"""Whose process is at the other end of a connection to this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from engines.backends.redis.client import open_socket
from engines.endpoints import listener
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.listener import (
    NOWHERE,
    ForeignListenerError,
    require_own_listener,
    socket_owner,
)
from tests.support.intruder import AS_NOBODY, NOBODY, needs_root, until

LISTEN = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
if sys.argv[1] == "accept":
    taken, _ = listener.accept()
    listener.close()
    taken.settimeout(5)
    print(len(taken.recv(4096)), flush=True)
else:
    sys.stdin.read()
"""

needs_kernel = pytest.mark.skipif(
    not hasattr(socket, "AF_NETLINK"), reason="needs sock_diag of Linux"
)


@contextmanager
def foreign_listener(how: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A port on which another user listens, and the process, which prints how many bytes it got if it accepts."""
    with subprocess.Popen(
        [os.path.realpath(sys.executable), "-I", "-c", LISTEN, how],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **AS_NOBODY,
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


def test_a_listener_of_one_s_own_is_taken_before_and_after_it_accepts() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        require_own_listener(sock)
        accepted, _ = listener.accept()
        with accepted:
            require_own_listener(sock)


@needs_kernel
def test_the_kernel_tells_whose_a_socket_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = listener.getsockname()
        owner = socket_owner(there, NOWHERE)
        assert owner is not None
        assert owner.user == os.geteuid()
        assert owner.inode == os.fstat(listener.fileno()).st_ino
        with socket.create_connection(there) as sock:
            waiting = socket_owner(there, sock.getsockname())
            assert waiting is not None
            assert waiting.inode == 0
            accepted, _ = listener.accept()
            with accepted:
                taken = socket_owner(there, sock.getsockname())
                assert taken is not None
                assert taken.inode == os.fstat(accepted.fileno()).st_ino
    assert socket_owner(there, NOWHERE) is None


@needs_root
@needs_kernel
@pytest.mark.parametrize("how", ["accept", "wait"])
def test_a_listener_of_another_user_gets_no_password(how: str) -> None:
    with foreign_listener(how) as (port, process):
        private = RedisEndpoint("127.0.0.1", port, "s3cret", nodes=(f"127.0.0.1:{port}",))
        with pytest.raises(
            RedisError, match=f"port {port} of a private server is taken .* {NOBODY}"
        ):
            open_socket(f"127.0.0.1:{port}", private)
        if how == "accept":
            assert process.stdout is not None
            assert process.stdout.readline() == "0\n"


@needs_root
@needs_kernel
def test_a_connection_that_another_user_accepted_tells_without_its_listener() -> None:
    with foreign_listener("accept") as (port, process):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            until_gone(port)
            with pytest.raises(ForeignListenerError):
                require_own_listener(sock)
        process.wait(10)


@contextmanager
def no_netlink(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a container that forbids such sockets."""
    real = socket.socket

    def denying(family: int = -1, *arguments: int, **named: object) -> socket.socket:
        if family == socket.AF_NETLINK:
            raise PermissionError(1, "Operation not permitted")
        return real(family, *arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", denying)
        yield


@needs_kernel
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_without_netlink_the_list_of_sockets_tells_as_much(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family, dualstack_ipv6=":" in host) as own,
        socket.create_connection(("127.0.0.1", own.getsockname()[1])) as sock,
    ):
        there, here = sock.getpeername(), sock.getsockname()
        with no_netlink(monkeypatch):
            assert socket_owner(there, here) == (0, 0)
            assert socket_owner(there, NOWHERE) == (os.geteuid(), os.fstat(own.fileno()).st_ino)
            require_own_listener(sock)
        accepted, _ = own.accept()
        with accepted, no_netlink(monkeypatch):
            assert socket_owner(there, here) == (os.geteuid(), os.fstat(accepted.fileno()).st_ino)
            require_own_listener(sock)


@needs_root
@needs_kernel
@pytest.mark.parametrize("how", ["accept", "wait"])
def test_without_netlink_a_listener_of_another_user_gets_no_password(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    with foreign_listener(how) as (port, process):
        private = RedisEndpoint("127.0.0.1", port, "s3cret", nodes=(f"127.0.0.1:{port}",))
        with (
            no_netlink(monkeypatch),
            pytest.raises(
                RedisError, match=f"port {port} of a private server is taken .* {NOBODY}"
            ),
        ):
            open_socket(f"127.0.0.1:{port}", private)
        if how == "accept":
            assert process.stdout is not None
            assert process.stdout.readline() == "0\n"


@needs_kernel
def test_where_the_kernel_tells_nothing_no_password_goes_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(listener, "TABLES", (tmp_path / "tcp", tmp_path / "tcp6"))
    with socket.create_server(("127.0.0.1", 0)) as own:
        port = own.getsockname()[1]
        private = RedisEndpoint("127.0.0.1", port, "s3cret", nodes=(f"127.0.0.1:{port}",))
        refused = f"whose process answers on port {port} .* not known.*; allow netlink sockets"
        with no_netlink(monkeypatch), pytest.raises(RedisError, match=refused):
            open_socket(f"127.0.0.1:{port}", private)
        accepted, _ = own.accept()
        with accepted:
            accepted.settimeout(5)
            assert accepted.recv(4096) == b""


@needs_kernel
def test_one_who_accepts_between_the_questions_and_listens_no_more_is_found_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stranger = listener.Owner(os.geteuid() + 1, 7)
    answers = iter([listener.Owner(0, listener.NOT_ACCEPTED), None, stranger])
    monkeypatch.setattr(listener, "socket_owner", lambda *_: next(answers))
    with (
        socket.create_server(("127.0.0.1", 0)) as own,
        socket.create_connection(own.getsockname()) as sock,
        pytest.raises(ForeignListenerError, match=f"taken .* {stranger.user}"),
    ):
        require_own_listener(sock)


@needs_kernel
def test_nobody_gets_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "socket_owner", lambda *_: None)
    with (
        socket.create_server(("127.0.0.1", 0)) as own,
        socket.create_connection(own.getsockname()) as sock,
        pytest.raises(ForeignListenerError, match="nobody answers"),
    ):
        require_own_listener(sock)


def until_gone(port: int) -> None:
    """Wait until nobody listens on the port any more."""
    assert until(lambda: socket_owner(("127.0.0.1", port), NOWHERE) is None, 10)
