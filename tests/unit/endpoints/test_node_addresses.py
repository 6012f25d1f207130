"""Which nodes that a server names are connected to."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from redis.exceptions import RedisError

from engines.backends.redis.client import open_socket
from engines.endpoints import node_addresses
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.node_addresses import ForbiddenNodeError, special_kind, targets

FAR = RedisEndpoint("192.0.2.1", 6379, "s3cret")
"""A configured server that is on no special address (RFC 5737)."""


@pytest.mark.parametrize(
    ("ip", "kind"),
    [
        ("127.0.0.1", "this machine"),
        ("127.9.9.9", "this machine"),
        ("::1", "this machine"),
        ("0.0.0.0", "this machine"),
        ("0.1.2.3", "this machine"),
        ("::", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("::ffff:0.0.0.0", "this machine"),
        ("64:ff9b::7f00:1", "this machine"),
        ("64:ff9b:1::7f00:1", "this machine"),
        ("64:ff9b:1:2::7f00:1", "this machine"),
        ("169.254.7.7", "the local link"),
        ("fe80::1", "the local link"),
        ("fe80::1%eth0", "the local link"),
        ("::ffff:169.254.7.7", "the local link"),
        ("169.254.169.254", "the metadata service 169.254.169.254"),
        ("::ffff:169.254.169.254", "the metadata service 169.254.169.254"),
        ("fd00:ec2::254", "the metadata service fd00:ec2::254"),
        ("100.100.100.200", "the metadata service 100.100.100.200"),
        ("10.0.0.1", None),
        ("192.168.1.1", None),
        ("203.0.113.9", None),
        ("2001:db8::1", None),
        ("::ffff:10.0.0.1", None),
    ],
)
def test_special_addresses_are_known_in_every_form(ip: str, kind: str | None) -> None:
    assert special_kind(ip) == kind


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "::1", "::ffff:127.0.0.1"),
        *("0.0.0.0", "169.254.169.254", "169.254.1.1", "fe80::1", "::ffff:a9fe:a9fe"),
    ],
)
def test_a_server_elsewhere_leads_to_no_special_address(host: str) -> None:
    with pytest.raises(ForbiddenNodeError, match=r"192\.0\.2\.1:6379 does not; name the node in"):
        targets(f"{host}:6379", FAR)


def test_a_name_that_leads_to_a_special_address_is_refused_and_is_resolved_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name may lead elsewhere when it is asked for again: what was looked at is what is connected to."""
    answers = iter(["10.0.0.7", "169.254.169.254"])

    def resolve(host: str, port: int, **_: object) -> list[object]:
        ip = next(answers) if host == "turning.example" else host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    monkeypatch.setattr(node_addresses, "getaddrinfo", resolve)
    assert targets("turning.example:6379", FAR) == ["[10.0.0.7]:6379"]
    with pytest.raises(ForbiddenNodeError, match="the metadata service"):
        targets("turning.example:6379", FAR)


@pytest.mark.parametrize(
    ("seed", "node"),
    [
        ("127.0.0.1", "127.0.0.1:7001"),
        ("localhost", "127.0.0.1:7001"),
        ("127.0.0.1", "127.0.0.2:7001"),
        ("169.254.7.7", "169.254.8.8:6379"),
        ("192.0.2.1", "10.0.0.1:6379"),
    ],
)
def test_nodes_beside_the_configured_server_are_nodes(seed: str, node: str) -> None:
    host, _, port = node.rpartition(":")
    assert targets(node, RedisEndpoint(seed, 7000, "")) == [f"[{host}]:{port}"]


@pytest.mark.parametrize("seed", ["127.0.0.1", "169.254.7.7", "169.254.170.2"])
def test_beside_metadata_is_only_that_very_address(seed: str) -> None:
    with pytest.raises(ForbiddenNodeError, match="metadata service"):
        targets("169.254.169.254:80", RedisEndpoint(seed, 7000, ""))


def test_what_the_user_named_is_connected_to_as_it_is() -> None:
    endpoint = RedisEndpoint(
        "127.0.0.1", 7000, "", address_map=(("10.0.0.1:6379", "127.0.0.1:7101"),)
    )
    assert targets("127.0.0.1:7000", endpoint) == ["127.0.0.1:7000"]
    assert targets("10.0.0.1:6379", endpoint) == ["127.0.0.1:7101"]
    through = RedisEndpoint("10.0.0.1", 6379, "", address_map=(("10.0.0.1:6379", "[::1]:7101"),))
    assert targets("10.0.0.1:6379", through) == ["[::1]:7101"]
    # The far end of a tunnel is this machine; the server that the tunnel leads to is not.
    with pytest.raises(ForbiddenNodeError):
        targets("127.0.0.1:6379", through)


def test_a_private_cluster_consists_of_what_telemon_started() -> None:
    private = RedisEndpoint("127.0.0.1", 7000, "", nodes=("127.0.0.1:7000", "127.0.0.1:7001"))
    assert targets("127.0.0.1:7001", private) == ["127.0.0.1:7001"]
    for foreign in ("127.0.0.1:7002", "10.0.0.1:7001"):
        with pytest.raises(ForbiddenNodeError, match="no server that telemon started"):
            targets(foreign, private)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        yield listener


def test_no_connection_is_opened_to_a_forbidden_node(listening: socket.socket) -> None:
    node = f"127.0.0.1:{listening.getsockname()[1]}"
    with pytest.raises(RedisError, match="leads to this machine"):
        open_socket(node, FAR)
    with pytest.raises(TimeoutError):
        listening.accept()
