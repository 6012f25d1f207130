"""Whether a reply is there: looked for by reading, because a TLS socket that polls as readable may hold none."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from engines.backends.redis.reply_parser import NodeParser, RedisProtocolError
from tests.support.certificates import Authority

READ_BYTES = 65_536


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the server and of the client, for TLS 1.3."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority(directory, "authority")
    pair = authority.pair("server", of=("server.test",))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    client = ssl.create_default_context(cafile=str(authority.file))
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    return server, client


Ends = tuple[NodeParser, ssl.SSLSocket, ssl.SSLSocket]


@pytest.fixture
def ends(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[Ends]:
    """A parser on a connection that was just opened, its socket, and the server's."""
    server, client = contexts
    one, two = socket.socketpair()
    for sock in (one, two):
        sock.settimeout(5)
    made: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: made.append(server.wrap_socket(two, server_side=True)))
    thread.start()
    ours = client.wrap_socket(one, server_hostname="server.test")
    thread.join(5)
    (theirs,) = made
    parser = NodeParser(READ_BYTES)  # type: ignore[no-untyped-call]
    encoder = SimpleNamespace(encoding_errors="strict", decode_responses=False)
    parser.on_connect(SimpleNamespace(_sock=ours, socket_timeout=5, encoder=encoder))
    yield parser, ours, theirs
    for sock in (ours, theirs):
        sock.close()


def polls_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(5_000))


def test_session_tickets_are_no_reply(ends: Ends) -> None:
    parser, ours, theirs = ends
    assert polls_readable(ours), "the server sends tickets after the handshake"
    assert not parser.can_read()
    # They are taken in, and what follows them is a reply.
    assert not polls_ready_now(ours)
    theirs.sendall(b"+OK\r\n")
    assert polls_readable(ours)
    assert parser.can_read()
    assert parser.read_response() == b"OK"
    assert ours.gettimeout() == 5


def polls_ready_now(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


def test_a_part_of_a_reply_is_there_and_the_rest_is_waited_for(ends: Ends) -> None:
    parser, ours, theirs = ends
    assert not parser.can_read()
    theirs.sendall(b"$5\r\nhel")
    assert polls_readable(ours)
    assert parser.can_read()
    theirs.sendall(b"lo\r\n")
    assert parser.read_response() == b"hello"
    assert not parser.can_read()


def test_a_connection_that_the_server_closed_is_not_ready(ends: Ends) -> None:
    parser, _, theirs = ends
    assert not parser.can_read()
    theirs.shutdown(socket.SHUT_RDWR)
    theirs.close()
    with pytest.raises(RedisConnectionError):
        parser.can_read(5)


def test_what_is_no_reply_is_redis_py_s_own_error(ends: Ends) -> None:
    parser, _, theirs = ends
    theirs.sendall(b"*999999999\r\n")
    with pytest.raises(RedisProtocolError):
        # The first look may find nothing but tickets.
        assert parser.can_read(5) or parser.can_read(5)
