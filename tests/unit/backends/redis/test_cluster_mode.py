"""Whether a server is in a cluster: what is asked, and what is made of a server that does not say."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import BusyLoadingError, NoPermissionError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from engines.backends.redis.client import ClusterModeError
from engines.backends.redis.cluster_mode import ClusterMode, read_cluster_mode
from engines.endpoints.endpoint import RedisEndpoint

UNKNOWN = ResponseError("unknown command 'CLUSTER'")
HUNG_UP = RedisConnectionError("Connection closed by server.")
DENIED = NoPermissionError("this user has no permissions to run the 'cluster|slots' command")
NO_CLUSTER = ResponseError("This instance has cluster support disabled")
SLOTS = [[0, 16_383, [b"127.0.0.1", 6379, b"a" * 40, []]]]


class Node:
    """A server that answers CLUSTER SLOTS and INFO so; None for what it must not be asked."""

    def __init__(self, slots: Any, info: Any) -> None:
        self._slots, self._info = slots, info
        self.connection_pool = self

    def get_connection(self) -> str:
        return "connection"

    def release(self, connection: str) -> None:
        assert connection == "connection"

    def execute_command(self, *command: str) -> Any:
        assert command == ("CLUSTER SLOTS",)
        assert self._slots is not None
        return self._answer(self._slots)

    def info(self, section: str) -> Any:
        assert section == "cluster"
        assert self._info is not None
        return self._answer(self._info)

    def _answer(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer


def mode(cluster: bool | None, slots: Any, info: Any) -> ClusterMode:
    endpoint = RedisEndpoint("127.0.0.1", 6379, "", cluster=cluster)
    return read_cluster_mode(Node(slots, info), endpoint)  # type: ignore[arg-type]


@pytest.mark.parametrize("info", [{"cluster_enabled": 0}, {}, UNKNOWN, HUNG_UP, DENIED])
def test_a_server_that_is_said_to_be_in_none_is_sent_no_cluster_command(info: Any) -> None:
    found = mode(False, None, info)
    assert (found.clustered, found.refusal) == (False, "")
    assert found.shown is (info == {"cluster_enabled": 0})


def test_a_server_in_a_cluster_contradicts_what_says_that_it_is_in_none() -> None:
    with pytest.raises(ClusterModeError, match="it is part of a cluster"):
        mode(False, None, {"cluster_enabled": 1})


@pytest.mark.parametrize("refusal", [UNKNOWN, HUNG_UP, DENIED])
@pytest.mark.parametrize("info", [{"cluster_enabled": 0}, {}, UNKNOWN, HUNG_UP])
def test_a_server_that_does_not_tell_is_taken_for_one_in_none(refusal: Any, info: Any) -> None:
    found = mode(None, refusal, info)
    assert not found.clustered
    assert str(refusal) in found.refusal


@pytest.mark.parametrize("refusal", [UNKNOWN, HUNG_UP, DENIED])
def test_a_server_that_says_elsewhere_that_it_is_in_one_is_not(refusal: Exception) -> None:
    with pytest.raises(type(refusal)):
        mode(None, refusal, {"cluster_enabled": 1})


@pytest.mark.parametrize("refusal", [UNKNOWN, HUNG_UP])
def test_a_cluster_that_does_not_tell_its_slots_cannot_be_raced_on(refusal: Exception) -> None:
    with pytest.raises(type(refusal)):
        mode(True, refusal, None)


def test_a_user_who_may_not_ask_is_believed() -> None:
    assert mode(True, DENIED, None).clustered


def test_a_server_that_is_loading_refuses_nothing() -> None:
    with pytest.raises(BusyLoadingError):
        mode(None, BusyLoadingError("LOADING"), {"cluster_enabled": 0})


@pytest.mark.parametrize("configured", [None, True])
def test_a_cluster_is_known_by_its_slots(configured: bool | None) -> None:
    assert mode(configured, SLOTS, None) == ClusterMode(True)


def test_a_server_in_no_cluster_says_so() -> None:
    assert mode(None, NO_CLUSTER, None) == ClusterMode(False)
    with pytest.raises(ClusterModeError, match="it is no part of a cluster"):
        mode(True, NO_CLUSTER, None)


@pytest.mark.parametrize("slots", [NO_CLUSTER, UNKNOWN, HUNG_UP])
def test_replicas_to_read_from_need_a_cluster(slots: Any) -> None:
    """READONLY, which such a connection begins with, is an error of a server in no cluster."""
    endpoint = RedisEndpoint("127.0.0.1", 6379, "", cluster=None, read_replicas=True)
    server: Any = Node(slots, {"cluster_enabled": 0})
    with pytest.raises(ClusterModeError, match='set read_from = "primaries"'):
        read_cluster_mode(server, endpoint)
    server = Node(SLOTS, None)
    assert read_cluster_mode(server, endpoint).clustered
