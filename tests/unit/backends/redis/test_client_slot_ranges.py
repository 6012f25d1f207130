"""What CLUSTER SLOTS says on each kind of service (Redis command reference, CLUSTER SLOTS; facts of AWS's clients)."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ResponseError

from engines.backends.redis.client import slot_ranges
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.slot_map import SlotMap, SlotRange

ASKED = RedisEndpoint("asked.example", 6379, "")
SERVERLESS = "cache-abc.serverless.euw1.cache.amazonaws.com"


class Node:
    """A server that gives one answer."""

    def __init__(self, reply: Any) -> None:
        self._reply = reply

    def execute_command(self, *command: str) -> Any:
        assert command == ("CLUSTER SLOTS",)
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply


def ranges_of(reply: Any) -> list[SlotRange] | None:
    return slot_ranges(Node(reply), f"{ASKED.host}:{ASKED.port}", ASKED)  # type: ignore[arg-type]


def test_a_cluster_with_tls_names_its_nodes_by_host_and_one_without_by_address() -> None:
    assert ranges_of(
        [
            [8192, 16383, [b"n2.memorydb.example", 6379, b"b" * 40, []]],
            [
                0,
                8191,
                [b"10.0.0.1", 6379, b"a" * 40],
                [b"10.0.0.2", 6379, b"c" * 40],
            ],
        ]
    ) == [
        SlotRange(0, 8191, "10.0.0.1:6379", ("10.0.0.2:6379",)),
        SlotRange(8192, 16383, "n2.memorydb.example:6379"),
    ]


def test_a_serverless_cache_is_one_name_with_a_port_for_writes_and_one_for_reads() -> None:
    name = SERVERLESS.encode()
    found = ranges_of([[0, 16383, [name, 6379, b"a" * 40, []], [name, 6380, b"b" * 40, []]]])
    assert found == [SlotRange(0, 16383, f"{SERVERLESS}:6379", (f"{SERVERLESS}:6380",))]
    reading = SlotMap(found, lambda: None, replica=0)
    assert set(reading.write_node) == {f"{SERVERLESS}:6379"}
    assert set(reading.read_node) == {f"{SERVERLESS}:6380"}


def test_a_node_that_does_not_know_its_name_is_where_the_answer_came_from() -> None:
    for host in (b"", None):
        assert ranges_of([[0, 16383, [host, 7000, b"a" * 40]]]) == [
            SlotRange(0, 16383, "asked.example:7000")
        ]


def test_a_node_whose_name_was_never_given_is_called_by_its_address() -> None:
    told = [b"?", 6379, b"a" * 40, [b"ip", b"10.0.0.7"]]
    assert ranges_of([[0, 16383, told]]) == [SlotRange(0, 16383, "10.0.0.7:6379")]


def test_with_cluster_mode_off_there_is_no_cluster_and_another_error_is_one() -> None:
    off = ResponseError("This instance has cluster support disabled")
    assert ranges_of(off) is None
    with pytest.raises(ResponseError, match="unknown command"):
        ranges_of(ResponseError("unknown command 'CLUSTER'"))
