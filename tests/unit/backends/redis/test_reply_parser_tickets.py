"""Whether a reply is there: looked for by reading, because a TLS socket that polls as readable may hold none."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from engines.backends.redis.reply_parser import NodeParser, RedisProtocolError
from tests.support.tls_pair import Contexts, tls_contexts, tls_pair

READ_BYTES = 65_536


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    server, client = tls_contexts(tmp_path_factory.mktemp("certificates"))
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    return server, client


Ends = tuple[NodeParser, ssl.SSLSocket, ssl.SSLSocket]


@pytest.fixture
def ends(contexts: Contexts) -> Iterator[Ends]:
    """A parser on a connection that was just opened, its socket, and the server's."""
    ours, theirs = tls_pair(contexts)
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
