"""Complete messages, whatever the socket does to them."""

from __future__ import annotations

import socket

from engines.ipc.channel import Channel


def pair() -> tuple[Channel, Channel]:
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)


def test_messages_arrive_whole_and_in_order() -> None:
    ours, theirs = pair()
    ours.send({"a": 1})
    ours.send([2])
    assert theirs.receive() == [{"a": 1}, [2]]
    assert theirs.receive() == []


def test_a_message_larger_than_the_socket_waits_for_its_reader() -> None:
    ours, theirs = pair()
    ours.send(bytes(4_000_000))
    assert not ours.flushed
    received: list[object] = []
    while not received:
        received = theirs.receive()
        ours.flush()
    assert received == [bytes(4_000_000)]
    assert ours.flushed


def test_the_other_side_gone_is_noticed_once_what_it_said_is_read() -> None:
    ours, theirs = pair()
    ours.send("last words")
    ours.close()
    assert theirs.receive() == ["last words"]
    assert theirs.closed


def test_sending_to_nobody_is_no_error() -> None:
    ours, theirs = pair()
    theirs.close()
    ours.send("hello")
    assert ours.closed
