"""Connections to names with several addresses, some of which swallow, refuse or are of no use."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from threading import Timer
from time import monotonic

import pytest

from engines.backends import happy_eyeballs
from engines.backends.dialer import dial, dial_any
from engines.backends.happy_eyeballs import (
    NEXT_AFTER_S,
    UnansweredError,
    _in_order,
    answered,
    connect_first,
    remember,
)
from engines.endpoints.address import FoundAddress
from engines.endpoints.deadline import Deadline, DeadlineError, EndedError
from tests.support.swallowing_address import Resolver, swallowing_address

SWALLOWING = "127.0.0.9"
ANSWERING = "127.0.0.1"
LONG_S = 60.0
"""Longer than any test waits."""
SOON_S = 10.0
"""Time for what happens at once, on a machine that is busy."""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test has the process remember does not stay."""
    yield
    happy_eyeballs._answered.clear()


@pytest.fixture
def server() -> Iterator[int]:
    with closing(socket.create_server((ANSWERING, 0), backlog=64)) as listening:
        yield int(listening.getsockname()[1])


def v4(host: str, port: int) -> FoundAddress:
    return (int(socket.AF_INET), (host, port))


def test_an_address_that_swallows_costs_a_moment_and_only_once(
    server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(db=(SWALLOWING, ANSWERING)))
    with swallowing_address(SWALLOWING, server):
        began_s = monotonic()
        with dial(f"db:{server}") as sock:
            assert sock.getpeername() == (ANSWERING, server)
        took_s = monotonic() - began_s
        assert NEXT_AFTER_S <= took_s < 3.0
        assert answered() == {f"db:{server}": v4(ANSWERING, server)}
        # From now on it is tried first: otherwise the other would be waited for.
        monkeypatch.setattr(happy_eyeballs, "NEXT_AFTER_S", LONG_S)
        monkeypatch.setattr("engines.backends.dialer.CONNECT_TIMEOUT_S", LONG_S)
        began_s = monotonic()
        for _ in range(5):
            dial(f"db:{server}").close()
        assert monotonic() - began_s < SOON_S


def test_what_another_process_found_is_tried_first(
    server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(happy_eyeballs, "NEXT_AFTER_S", LONG_S)
    addresses = [v4(SWALLOWING, server), v4(ANSWERING, server)]
    remember({f"db:{server}": addresses[1]})
    with swallowing_address(SWALLOWING, server):
        began_s = monotonic()
        connect_first(f"db:{server}", addresses, LONG_S).close()
        assert monotonic() - began_s < SOON_S


def test_an_address_that_is_remembered_and_gone_is_no_dead_end(server: int) -> None:
    """After a failover the name leads elsewhere, or to the same addresses, the other of which serves now."""
    name, gone, alive = f"db:{server}", v4(SWALLOWING, server), v4(ANSWERING, server)
    remember({name: gone})
    connect_first(name, [alive], 3.0).close()
    with swallowing_address(SWALLOWING, server):
        connect_first(name, [gone, alive], 3.0).close()
    assert answered() == {name: alive}


def test_an_address_that_refuses_is_followed_at_once(
    server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a name of both families, of which the server listens on one; or of a family that this machine lacks."""
    monkeypatch.setattr(happy_eyeballs, "NEXT_AFTER_S", LONG_S)
    refusing: list[FoundAddress] = [
        (int(socket.AF_INET6), ("::1", server, 0, 0)),
        (int(socket.AF_APPLETALK), ("::1", server)),
        v4("127.0.0.8", server),
        v4("255.255.255.255", server),  # not even begun
    ]
    began_s = monotonic()
    sock = connect_first(f"db:{server}", [*refusing, v4(ANSWERING, server)], LONG_S)
    with sock:
        assert sock.getpeername() == (ANSWERING, server)
    assert monotonic() - began_s < SOON_S


def test_where_all_swallow_each_is_named_within_the_time_of_one(
    server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(happy_eyeballs, "NEXT_AFTER_S", 0.05)
    hosts = ("127.0.0.9", "127.0.0.10", "127.0.0.11")
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(db=hosts))
    monkeypatch.setattr("engines.backends.dialer.CONNECT_TIMEOUT_S", 1.0)
    with (
        swallowing_address(hosts[0], server),
        swallowing_address(hosts[1], server),
        swallowing_address(hosts[2], server),
    ):
        began_s = monotonic()
        with pytest.raises(UnansweredError) as failed:
            dial(f"db:{server}")
        assert monotonic() - began_s < 2.5
    each = ", ".join(f"{host} (no answer within 1 s)" for host in hosts)
    assert f"no address of db:{server} answers: {each}" in str(failed.value)


def test_each_address_is_named_with_its_own_reason(server: int) -> None:
    addresses = [v4(SWALLOWING, server), v4("127.0.0.8", server)]
    with swallowing_address(SWALLOWING, server), pytest.raises(UnansweredError) as failed:
        connect_first(f"db:{server}", addresses, 0.4)
    assert "127.0.0.9 (no answer within 0 s), 127.0.0.8 (connection refused)" in str(failed.value)
    assert answered() == {}


def test_the_only_address_says_itself_what_is_wrong(server: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        connect_first(f"db:{server}", [v4("127.0.0.8", server)], 3.0)
    with (
        swallowing_address(SWALLOWING, server),
        pytest.raises(UnansweredError, match=r"127\.0\.0\.9 does not answer within 1 s"),
    ):
        connect_first(f"db:{server}", [v4(SWALLOWING, server)], 1.0)
    with pytest.raises(UnansweredError, match="db has no address"):
        connect_first(f"db:{server}", [], 1.0)


def test_the_deadline_of_the_work_ends_it_and_names_the_addresses(
    server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(db=(SWALLOWING, "127.0.0.10")))
    monkeypatch.setattr("engines.backends.dialer.CONNECT_TIMEOUT_S", LONG_S)
    with swallowing_address(SWALLOWING, server), swallowing_address("127.0.0.10", server):
        began_s = monotonic()
        with (
            pytest.raises(DeadlineError, match=r"TCP connection to 127\.0\.0\.9, 127\.0\.0\.10"),
            Deadline("connecting", 0.6, server="db"),
        ):
            dial(f"db:{server}")
        assert monotonic() - began_s < SOON_S
        began_s = monotonic()
        start = Deadline("the start", None)
        Timer(0.2, start.end).start()
        with pytest.raises(EndedError), start:
            dial(f"db:{server}")
        assert monotonic() - began_s < SOON_S


def test_families_take_turns_and_what_is_known_comes_first() -> None:
    six = [(int(socket.AF_INET6), (f"fd00::{number}", 1, 0, 0)) for number in range(3)]
    four = [v4(f"10.0.0.{number}", 1) for number in range(2)]
    assert _in_order([*six, *four], None) == [six[0], four[0], six[1], four[1], six[2]]
    assert _in_order([*four, *six, *four], six[2]) == [six[2], four[0], six[0], four[1], six[1]]
    assert _in_order(four, v4("10.9.9.9", 1)) == four


def test_no_socket_stays_open_but_the_one_that_is_returned(server: int) -> None:
    with swallowing_address(SWALLOWING, server):
        before = set(open_descriptors())
        sock = connect_first(f"db:{server}", [v4(SWALLOWING, server), v4(ANSWERING, server)], 3.0)
        assert set(open_descriptors()) - before == {sock.fileno()}
        sock.close()


def open_descriptors() -> list[int]:
    found = []
    for descriptor in range(1024):
        try:
            socket.socket(fileno=descriptor).detach()
        except OSError:
            continue
        found.append(descriptor)
    return found


def test_nodes_that_a_cluster_names_are_tried_side_by_side(server: int) -> None:
    """Their names were looked up before, and each address is a target of its own."""
    with swallowing_address(SWALLOWING, server):
        began_s = monotonic()
        dial_any(f"node:{server}", [f"[{SWALLOWING}]:{server}", f"[{ANSWERING}]:{server}"]).close()
        assert monotonic() - began_s < 2.5
