"""Checks of a Redis server whose numbers are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from redis import Redis

from engines.doctor.check import Check, CheckRunner, Status
from engines.doctor.redis.checks import _check_durability, _check_free_connections, _utc_s
from engines.doctor.redis.cluster import Node
from engines.doctor.target import Target
from engines.endpoints.endpoint import RedisEndpoint
from tests.support.foreign_values import NO_NUMBERS

TARGET = Target(RedisEndpoint("redis.example", 6379, "s3cret"), ("cached",), 10, 100, cache=True)


class Client:
    """A server whose INFO shows `fields` in every section."""

    def __init__(self, fields: Mapping[str, object], time: tuple[object, object] = (5, 0)) -> None:
        self._fields = fields
        self._time = time

    def info(self, _section: str) -> Mapping[str, object]:
        return self._fields

    def time(self) -> tuple[object, object]:
        return self._time


def client(fields: Mapping[str, object], *time: object) -> Redis:
    return cast("Redis", Client(fields, cast("Any", time or (5, 0))))


def room(fields: Mapping[str, object]) -> Check:
    nodes = [Node("redis.example:6379", False, client(fields))]
    (check,) = _check_free_connections(CheckRunner(), TARGET, nodes)
    return check


def durability(fields: Mapping[str, object]) -> Check:
    nodes = [Node("redis.example:6379", False, client(fields))]
    (check,) = _check_durability(CheckRunner(), TARGET, nodes)
    return check


@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_a_number_that_is_none_is_not_known(value: object) -> None:
    for fields in (
        {"maxclients": value, "connected_clients": 3},
        {"maxclients": 100, "connected_clients": value},
    ):
        check = room(fields)
        assert (check.status, check.finding) == (
            Status.OK,
            "the server does not say how many connections it takes",
        )
    check = durability({"maxmemory_policy": "noeviction", "maxmemory": value})
    assert (check.status, check.finding) == (
        Status.OK,
        "a cache, it may forget; when full: noeviction",
    )
    assert _utc_s(client({"server_time_usec": value}, 7, 500_000)) == 7.5
    assert _utc_s(client({"server_time_usec": value}, value, 5)) is None
    assert _utc_s(client({}, 5, value)) is None


def test_a_number_is_known() -> None:
    assert room({"maxclients": "20", "connected_clients": b"3"}).finding == (
        "20 connections allowed, 2 in use, 10 asked for"
    )
    assert room({"maxclients": 10, "connected_clients": 3}).problem == "no_room"
    full = durability({"maxmemory_policy": "noeviction", "maxmemory": "1000"})
    assert full.problem == "cache_fills_up"
    assert _utc_s(client({"server_time_usec": "7500000"})) == 7.5
