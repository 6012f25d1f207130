"""Hosts, addresses, and address maps."""

from __future__ import annotations

import pytest

from engines.config.value_types import AddressMapType, HostName, InvalidValueError
from engines.endpoints.address import map_address, split


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("db.example:3306", "db.example", 3306),
        ("10.0.0.1:1", "10.0.0.1", 1),
        ("::1:6379", "::1", 6379),
        ("[fd00::a]:6379", "fd00::a", 6379),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, host: str, port: int) -> None:
    assert split(address) == (host, port)


def test_only_what_the_map_names_is_reached_by_another_way() -> None:
    address_map = (("a:1", "x:9"), ("b:1", "y:9"))
    assert [map_address(address, address_map) for address in ("a:1", "b:1", "a:2")] == [
        "x:9",
        "y:9",
        "a:2",
    ]
    assert map_address("a:1", ()) == "a:1"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "a",
        "db-1.example.com",
        "10.0.0.1",
        "_x.example",
        "fd00::1",
        "a.b.",
        "x" * 63 + ".b",
    ],
)
def test_hosts(host: str) -> None:
    assert HostName().read(host) == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "a b",
        "a:1",
        "http://a",
        "a/b",
        "u@h",
        "-a",
        "a-",
        ".a",
        "ü.example",
        "x" * 254,
        ".".join(["x" * 63] * 4),
        "x" * 64,
        "a." + "x" * 64,
        "a..b",
        "a.-b",
        "a-.b",
        ".",
        "a\n",
    ],
)
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(InvalidValueError):
        HostName().read(host)


def test_a_map_from_a_file_and_from_a_variable() -> None:
    expected = (("a.test:1", "127.0.0.1:7001"), ("::1:2", "b:65535"))
    assert AddressMapType().read({"a.test:1": "127.0.0.1:7001", "[::1]:2": "b:65535"}) == expected
    assert AddressMapType().parse("a.test:1=127.0.0.1:7001, ::1:2 = b:65535") == expected
    for wrong in ("", "a", "a:1", "a:1=", "a:1=b", "a:1=b:70000", "a:1=b:1,"):
        with pytest.raises(InvalidValueError):
            AddressMapType().parse(wrong)
