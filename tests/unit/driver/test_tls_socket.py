"""TLS as the reactor drives it: records and replies of every cut, and writes that the kernel does not take at once."""

from __future__ import annotations

import random
import select
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from engines.driver.tls_socket import TlsSocket
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def contexts(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the server and of the client."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority(directory, "authority")
    pair = authority.pair("server", of=("server.test",))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    client = ssl.create_default_context(cafile=str(authority.file))
    # As `engines.endpoints.tls` has it: from 3.13 on Python by default refuses such an authority.
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return server, client


class Ends:
    """Both ends of a TLS connection: ours does not block, theirs does."""

    def __init__(self, contexts: tuple[ssl.SSLContext, ssl.SSLContext], version: str) -> None:
        server, client = contexts
        one, two = socket.socketpair()
        for sock in (one, two):
            sock.settimeout(5)
        client.maximum_version = ssl.TLSVersion[version]
        made: list[ssl.SSLSocket] = []
        thread = threading.Thread(
            target=lambda: made.append(server.wrap_socket(two, server_side=True))
        )
        thread.start()
        self.ours = client.wrap_socket(one, server_hostname="server.test")
        thread.join(5)
        (self.theirs,) = made
        self.ours.setblocking(False)
        self.sealed = TlsSocket(self.ours)


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def ends(
    request: pytest.FixtureRequest, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> Iterator[Ends]:
    both = Ends(contexts, request.param)
    yield both
    both.ours.close()
    both.theirs.close()


def received(sealed: TlsSocket, size: int, at_a_time: int = 65_536) -> bytes:
    """What comes until there are `size` bytes or nothing more is there."""
    parts, came = [], 0
    while came < size:
        try:
            parts.append(sealed.receive(at_a_time))
        except BlockingIOError:
            break
        came += len(parts[-1])
    return b"".join(parts)


def test_nothing_there_is_not_an_end(ends: Ends) -> None:
    """In TLS 1.3 the server's session tickets have come already: records with nothing in them for us."""
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            ends.sealed.receive(65_536)


def test_a_record_of_several_replies_and_a_reply_of_several_records(ends: Ends) -> None:
    ends.theirs.sendall(b"+OK\r\n" * 7)
    assert ends.sealed.receive(65_536) == b"+OK\r\n" * 7
    for part in (b"$10\r\n01", b"2345", b"6789\r\n"):
        ends.theirs.sendall(part)
    assert received(ends.sealed, 17) == b"$10\r\n0123456789\r\n"
    with pytest.raises(BlockingIOError):
        ends.sealed.receive(65_536)


def test_part_of_a_record_is_waited_for(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """The record is made in memory and put on the wire in two pieces."""
    server, client = contexts
    ours, wire = socket.socketpair()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(incoming, outgoing, server_side=True)
    shaken: list[ssl.SSLSocket] = []
    thread = threading.Thread(
        target=lambda: shaken.append(client.wrap_socket(ours, server_hostname="server.test"))
    )
    thread.start()
    while True:
        try:
            theirs.do_handshake()
            wire.sendall(outgoing.read())
            break
        except ssl.SSLWantReadError:
            wire.sendall(outgoing.read())
            incoming.write(wire.recv(65_536))
    thread.join(5)
    shaken[0].setblocking(False)
    sealed = TlsSocket(shaken[0])
    theirs.write(b"+OK\r\n")
    record = outgoing.read()
    wire.sendall(record[:-1])
    with pytest.raises(BlockingIOError):
        sealed.receive(65_536)
    wire.sendall(record[-1:])
    assert sealed.receive(65_536) == b"+OK\r\n"
    shaken[0].close()
    wire.close()


def test_what_openssl_has_decrypted_is_never_left_behind(ends: Ends) -> None:
    """A record larger than what is asked for at a time: the kernel has nothing more, and would not say so."""
    said = random.Random(1).randbytes(16_000)
    ends.theirs.sendall(said)
    assert ends.sealed.receive(100) == said
    assert ends.ours.pending() == 0


def test_megabytes_in_both_directions_with_a_kernel_that_takes_little(ends: Ends) -> None:
    """What was not taken is offered again from where it was left, and arrives once and in order."""
    ends.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    said = random.Random(2).randbytes(3_000_000)
    heard: list[bytes] = []

    def listen() -> None:
        came = 0
        while came < len(said):
            part = ends.theirs.recv(9_000)
            heard.append(part)
            came += len(part)
        ends.theirs.sendall(said[::-1])

    thread = threading.Thread(target=listen)
    thread.start()
    unsent, refused = memoryview(said), 0
    while unsent:
        try:
            unsent = unsent[ends.sealed.send(unsent) :]
        except BlockingIOError:
            refused += 1
            # Without a wait this loop would copy megabytes all the time, and the listener would get no turn.
            select.select([], [ends.ours], [], 1.0)
            # Another object with the same bytes, as the reactor's rest of a request is.
            unsent = memoryview(bytes(unsent))
    answer = b""
    while len(answer) < len(said):
        answer += received(ends.sealed, len(said) - len(answer), 70_000)
    thread.join(5)
    assert refused > 0
    assert b"".join(heard) == said
    assert answer == said[::-1]


def test_the_end_is_empty_and_what_came_before_it_is_not_lost(ends: Ends) -> None:
    ends.theirs.sendall(b"last words")
    ends.theirs.close()
    assert ends.sealed.receive(65_536) == b"last words"
    assert ends.sealed.receive(65_536) == b""
    assert ends.sealed.receive(65_536) == b""


def test_what_is_no_tls_is_an_error_of_the_connection(ends: Ends) -> None:
    raw = socket.socket(fileno=ends.theirs.detach())
    raw.sendall(b"-ERR this is not a record\r\n")
    with pytest.raises(ssl.SSLError):
        ends.sealed.receive(65_536)
    raw.close()


def test_a_broken_pipe_is_an_error_of_the_connection(ends: Ends) -> None:
    ends.theirs.close()

    def flood() -> None:
        for _ in range(100):
            ends.sealed.send(b"x" * 10_000)

    with pytest.raises((ConnectionError, ssl.SSLError)):
        flood()
