"""What is said when servers of one's own cannot be used: whichever step it is, where to look next."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest

from engines.backends.redis import client as redis
from engines.backends.redis.client import RedisFacts
from engines.config.race_config import RaceConfig
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.endpoints.slot_map import SlotRange
from engines.errors import DOCTOR_HINT, NotPreparedError, PreparationError
from engines.provisioning.cache import prepare_cache
from engines.provisioning.conflicts import resolve_cluster_modes, shared_mysql_servers
from engines.provisioning.prepare import check
from engines.race.lane_info import lane_infos, read_lane_servers

PASSWORD = "planted-in-an-endpoint"

Lanes = Mapping[str, LaneEndpoints]


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port where connections are refused: it is bound, and nothing listens."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize(
    "step",
    [
        check,
        resolve_cluster_modes,
        shared_mysql_servers,
        lambda lanes: prepare_cache(lanes["cached"], RaceConfig(), private=False),
        lambda lanes: read_lane_servers(lanes, ()),
        lambda lanes: lane_infos(lanes, (), ()),
    ],
    ids=["check", "settled", "shared", "ready_cache", "read_sheets", "entrants"],
)
def test_every_step_that_fails_names_the_lane_and_points_to_the_doctor(
    port: int, step: Callable[[Lanes], object]
) -> None:
    server = MySQLEndpoint("127.0.0.1", port, "telemon", PASSWORD, "telemon")
    cache = RedisEndpoint("127.0.0.1", port, PASSWORD)
    with pytest.raises((PreparationError, NotPreparedError)) as raised:
        step({"cached": LaneEndpoints("cached", server, cache)})
    said = str(raised.value)
    assert said.startswith("lane cached: ")
    assert said.endswith(DOCTOR_HINT)
    assert len(said.splitlines()) == 1
    assert PASSWORD not in said


def test_of_telemon_s_own_servers_the_doctor_knows_no_more(port: int) -> None:
    server = MySQLEndpoint("127.0.0.1", port, "telemon", PASSWORD, "telemon")
    lanes = {"mysql": LaneEndpoints("mysql", server)}
    for step in (
        lambda: read_lane_servers(lanes, ("mysql",)),
        lambda: lane_infos(lanes, (), ("mysql",)),
    ):
        with pytest.raises(PreparationError) as raised:
            step()
        assert DOCTOR_HINT not in str(raised.value)


def test_the_cache_s_own_failure_is_said_of_the_cache(port: int) -> None:
    cache = RedisEndpoint("127.0.0.1", port, PASSWORD, cluster=False)
    lane = LaneEndpoints("cached", MySQLEndpoint("127.0.0.1", port, "u", PASSWORD, "d"), cache)
    with pytest.raises(PreparationError, match=rf"Redis at 127\.0\.0\.1:{port}: the cache could"):
        prepare_cache(lane, RaceConfig(), private=False)


@pytest.mark.parametrize(
    ("replicas", "said"),
    [
        ((("r:1",), ("r:2",)), "reads go to replicas, which may be behind their primaries"),
        (
            (("r:1",), ()),
            "reads go to replicas, which may be behind their primaries; 1 of 2 primaries have none",
        ),
        (((), ()), "reads are to go to replicas, but there are none: they go to the primaries"),
    ],
)
def test_reads_from_replicas_are_claimed_only_where_there_are_any(
    monkeypatch: pytest.MonkeyPatch, replicas: tuple[tuple[str, ...], ...], said: str
) -> None:
    ranges = [
        SlotRange(number, number, f"p:{number}", each) for number, each in enumerate(replicas)
    ]
    monkeypatch.setattr(redis, "slot_map", lambda _: ranges)
    monkeypatch.setattr(redis, "read_facts", lambda _: RedisFacts("Valkey", "9.0", "none"))
    at = RedisEndpoint("127.0.0.1", 1, PASSWORD, cluster=True, read_replicas=True)
    (found,) = lane_infos({"durable": LaneEndpoints("durable", redis=at)}, (), ())
    assert found.notes[-1] == said
