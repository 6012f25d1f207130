"""Total deadlines: what they interrupt, how they grow, and what they say."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from threading import Thread, Timer

import pytest

from engines.endpoints.daemon_threads import in_parallel
from engines.endpoints.deadline import (
    Deadline,
    DeadlineError,
    EndedError,
    left_s,
    note_reply,
    note_step,
    restart,
    watch,
)

SOON_S = 0.2
LONG_S = 20.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(LONG_S)
    with ours, theirs:
        yield ours, theirs


def drip(sock: socket.socket) -> None:
    def send() -> None:
        try:
            while True:
                sock.sendall(b"x")
                time.sleep(0.02)
        except OSError:
            pass

    Thread(target=send, daemon=True).start()


def read_all(sock: socket.socket) -> None:
    """Read to the end, each byte of which comes in time."""
    watch(lambda: sock)
    while sock.recv(1):
        pass


def test_a_socket_that_drips_is_shut_down_when_the_whole_time_is_over(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    drip(pair[1])
    began_s = time.monotonic()
    with (  # noqa: PT012
        pytest.raises(
            DeadlineError, match=r"reading, Redis at a:1: not over after .* \(reply\): the server"
        ),
        Deadline("reading", SOON_S, server="Redis at a:1"),
    ):
        note_step("reply")
        read_all(pair[0])
    assert SOON_S <= time.monotonic() - began_s < LONG_S / 2


def test_the_work_around_it_watches_the_same_socket_and_knows_the_server(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    drip(pair[1])
    with (
        pytest.raises(DeadlineError, match="all of it, MySQL at b:2: not over"),
        Deadline("all of it", SOON_S),
        Deadline("a part", LONG_S, server="MySQL at b:2"),
    ):
        read_all(pair[0])


def test_threads_share_the_deadline_of_whoever_started_them(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    drip(pair[1])
    with pytest.raises(DeadlineError), Deadline("reading", SOON_S):
        list(in_parallel(read_all, [pair[0]], 4))


def test_a_start_can_be_ended_from_another_thread(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    start = Deadline("the start", None)
    Timer(SOON_S, start.end).start()
    with start:
        read_all(pair[0])
        assert start.ended
        with pytest.raises(EndedError):
            left_s(1.0)
    with start, pytest.raises(EndedError):
        left_s(1.0)


def test_a_socket_that_is_replaced_is_shut_down_all_the_same(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """As a connection does that begins TLS: its first socket object is detached then."""
    used = [socket.socket(fileno=pair[0].detach())]
    with pytest.raises(DeadlineError), Deadline("reading", SOON_S), used[0]:  # noqa: PT012
        watch(lambda: used[-1])
        first = used[0]
        used.append(socket.socket(fileno=first.detach()))
        with used[-1]:
            used[-1].settimeout(LONG_S)
            used[-1].recv(1)


def test_work_in_time_raises_nothing_and_what_is_left_shrinks() -> None:
    with Deadline("outer", 5.0), Deadline("inner", 50.0):
        assert 4.0 < left_s(100.0) <= 5.0
        assert left_s(1.0) == 1.0
    assert left_s(7.0) == 7.0


def test_each_reply_and_a_restart_give_more_time_up_to_the_most() -> None:
    with Deadline("scan", 1.0, per_reply_s=0.5, at_most_s=2.0) as scan:
        for _ in range(2):
            note_reply()
        assert 1.9 < left_s(100.0) <= 2.0
        note_reply()
        assert left_s(100.0) <= 2.0
        restart(9.0)
        assert 8.0 < left_s(100.0) <= 9.0
        assert not scan.passed


def test_work_that_ends_late_without_an_error_is_late() -> None:
    with pytest.raises(DeadlineError), Deadline("waiting", 0.05):
        time.sleep(0.3)


def test_whoever_is_interrupted_by_the_user_hears_of_no_deadline() -> None:
    with pytest.raises(KeyboardInterrupt), Deadline("waiting", 0.05):  # noqa: PT012
        time.sleep(0.3)
        raise KeyboardInterrupt
