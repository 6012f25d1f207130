"""TLS as the reactor uses it: records and replies of any cut, and writes that the kernel accepts only in part."""

from __future__ import annotations

import random
import select
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from engines.driver.tls_socket import TlsSocket
from tests.support.tls_pair import Contexts, tls_contexts, tls_pair


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return tls_contexts(tmp_path_factory.mktemp("certificates"))


class Ends:
    """Both ends of a TLS connection: `ours` does not block, `theirs` does."""

    def __init__(self, contexts: Contexts, version: str) -> None:
        contexts[1].maximum_version = ssl.TLSVersion[version]
        self.ours, self.theirs = tls_pair(contexts)
        self.ours.setblocking(False)
        self.tls_socket = TlsSocket(self.ours)


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def ends(request: pytest.FixtureRequest, contexts: Contexts) -> Iterator[Ends]:
    both = Ends(contexts, request.param)
    yield both
    both.ours.close()
    both.theirs.close()


def received(tls_socket: TlsSocket, size: int, at_a_time: int = 65_536) -> bytes:
    """What comes until there are `size` bytes or nothing more is there."""
    parts, received_bytes = [], 0
    while received_bytes < size:
        try:
            parts.append(tls_socket.receive(at_a_time))
        except BlockingIOError:
            break
        received_bytes += len(parts[-1])
    return b"".join(parts)


def test_nothing_there_is_not_an_end(ends: Ends) -> None:
    """With TLS 1.3 the server's session tickets have arrived: records without application data."""
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            ends.tls_socket.receive(65_536)


def test_a_record_of_several_replies_and_a_reply_of_several_records(ends: Ends) -> None:
    ends.theirs.sendall(b"+OK\r\n" * 7)
    assert ends.tls_socket.receive(65_536) == b"+OK\r\n" * 7
    for part in (b"$10\r\n01", b"2345", b"6789\r\n"):
        ends.theirs.sendall(part)
    assert received(ends.tls_socket, 17) == b"$10\r\n0123456789\r\n"
    with pytest.raises(BlockingIOError):
        ends.tls_socket.receive(65_536)


def test_part_of_a_record_is_waited_for(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """The record is built in memory and sent in two pieces."""
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
    tls_socket = TlsSocket(shaken[0])
    theirs.write(b"+OK\r\n")
    record = outgoing.read()
    wire.sendall(record[:-1])
    with pytest.raises(BlockingIOError):
        tls_socket.receive(65_536)
    wire.sendall(record[-1:])
    assert tls_socket.receive(65_536) == b"+OK\r\n"
    shaken[0].close()
    wire.close()


def test_what_openssl_has_decrypted_is_never_left_behind(ends: Ends) -> None:
    """The record is larger than one read: the kernel has no more bytes and would not wake the loop."""
    sent = random.Random(1).randbytes(16_000)
    ends.theirs.sendall(sent)
    assert ends.tls_socket.receive(100) == sent
    assert ends.ours.pending() == 0


def test_megabytes_in_both_directions_with_a_kernel_that_takes_little(ends: Ends) -> None:
    """Bytes that were not accepted are sent again from the same position, and arrive once and in order."""
    ends.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sent = random.Random(2).randbytes(3_000_000)
    heard: list[bytes] = []

    def listen() -> None:
        received_bytes = 0
        while received_bytes < len(sent):
            part = ends.theirs.recv(9_000)
            heard.append(part)
            received_bytes += len(part)
        ends.theirs.sendall(sent[::-1])

    thread = threading.Thread(target=listen)
    thread.start()
    unsent, refused = memoryview(sent), 0
    while unsent:
        try:
            unsent = unsent[ends.tls_socket.send(unsent) :]
        except BlockingIOError:
            refused += 1
            # Without a wait this loop would copy megabytes all the time, and the listener would get no turn.
            select.select([], [ends.ours], [], 1.0)
            # Another object with the same bytes, as the reactor's rest of a request is.
            unsent = memoryview(bytes(unsent))
    answer = b""
    while len(answer) < len(sent):
        answer += received(ends.tls_socket, len(sent) - len(answer), 70_000)
    thread.join(5)
    assert refused > 0
    assert b"".join(heard) == sent
    assert answer == sent[::-1]


def test_the_end_is_empty_and_what_came_before_it_is_not_lost(ends: Ends) -> None:
    ends.theirs.sendall(b"last words")
    ends.theirs.close()
    assert ends.tls_socket.receive(65_536) == b"last words"
    assert ends.tls_socket.receive(65_536) == b""
    assert ends.tls_socket.receive(65_536) == b""


def test_what_is_no_tls_is_an_error_of_the_connection(ends: Ends) -> None:
    raw = socket.socket(fileno=ends.theirs.detach())
    raw.sendall(b"-ERR this is not a record\r\n")
    with pytest.raises(ssl.SSLError):
        ends.tls_socket.receive(65_536)
    raw.close()


def test_a_broken_pipe_is_an_error_of_the_connection(ends: Ends) -> None:
    ends.theirs.close()

    def flood() -> None:
        for _ in range(100):
            ends.tls_socket.send(b"x" * 10_000)

    with pytest.raises((ConnectionError, ssl.SSLError)):
        flood()
