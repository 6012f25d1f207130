"""State that the programs of one engine process share."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest

from engines.config.settings import LoadConfig
from engines.driver.outcome import Completed
from engines.driver.session import Connection, Program, Session, SessionConnections, Step
from engines.endpoints.endpoint import LaneEndpoints, RedisEndpoint
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.ipc.messages import EngineSpec
from engines.lanes.context import MYSQL_ADDRESS
from engines.metrics.stats import CacheStats, RoleStats
from engines.model.lanes import LANES
from engines.model.roles import Role
from engines.process.programs import ProgramFactory
from engines.results.reconciliation import reconcile
from engines.wire.dialect import MYSQL as MYSQL_DIALECT
from engines.wire.dialect import REDIS
from engines.wire.mysql import Ok
from engines.wire.resp import ALL_OK, SLOTS
from engines.workload.dataset import HOT_KEYS
from engines.workload.key_distribution import UNIFORM, KeyDistribution
from engines.workload.namespace import DEFAULT, Namespace

NODE = "node:6379"


def made(
    lane: str,
    preset: str,
    connections: int,
    issuing: Callable[[], bool] = lambda: True,
    role: Role = "read",
    shape: KeyDistribution = UNIFORM,
    namespace: Namespace = DEFAULT,
) -> ProgramFactory:
    """The programs of one engine process."""
    server = RedisEndpoint("node", 6379, "", namespace=namespace)
    spec = EngineSpec(
        lane=lane,
        role=role,
        process=0,
        processes=1,
        connections=connections,
        load=LoadConfig(
            preset=preset,
            seed=1,
            batch=20,
            ttl_s=1.0,
            keys=shape.kind,
            zipf_exponent=shape.exponent,
            hot_keys=shape.hot_keys,
            hot_operations=shape.hot_operations,
        ),
        endpoints=LaneEndpoints(lane, redis=server),
    )
    programs = ProgramFactory(spec, issuing=issuing, redirected=lambda: None)
    programs.topologies = [SlotMap([SlotRange(0, SLOTS - 1, NODE)], refresh=lambda: None)]
    return programs


def session_of() -> Session:
    session = Session()
    session.connections = SessionConnections(
        lambda address: Connection(
            session, address, MYSQL_DIALECT if address == MYSQL_ADDRESS else REDIS, socket.socket
        )
    )
    return session


def next_of(program: Program, reply: object) -> Step:
    """The first step of the operation after the one that `reply` ends."""
    step = program.send(reply)
    return program.send(None) if isinstance(step, Completed) else step


def readers(lane: str, preset: str, connections: int) -> list[list[bytes]]:
    """The first requests of each reader of one engine process that is told of hits, or of rows, only."""
    requested = []
    for begin in made(lane, preset, connections).partition(connections):
        program = begin(session_of())
        reply = [(b"1.0000",) * 5] if lane == "mysql" else b"1"
        step = next(program)
        requests = []
        for _ in range(5 * len(HOT_KEYS)):
            assert isinstance(step, tuple)
            requests.append(step[1])
            step = next_of(program, reply)
        requested.append(requests)
    return requested


SHAPES = [
    UNIFORM,
    KeyDistribution("zipfian"),
    KeyDistribution("hot-set", hot_keys=0.1, hot_operations=0.9),
]


ABSENT_ROW = (None,) * 6
"""What MySQL selects for a car that does not exist."""


def car_in(select: bytes) -> bytes:
    """Return the car that a SELECT asks for."""
    return select.rpartition(b" = ")[2]


VALUES: dict[tuple[bool, Role], bytes] = {
    (True, "write"): rb"\(([0-9]+(?:,[0-9]+){5})\)",
    (True, "read"): rb"car_id = ([0-9]+)",
    (False, "write"): rb"\r\n([0-9]+(?::[0-9]+){5})\r\n",
    (False, "read"): rb"telemon:([0-9]+)",
}
"""Where requests to MySQL, and to a Redis, hold the row that they write or the car that they ask for."""


def streams(lane: str, role: Role, shape: KeyDistribution) -> list[list[bytes]]:
    """What the first operations of three connections write or ask for. Within a batch the order is that of shards."""
    in_mysql = lane == "mysql" or (lane == "cached" and role == "write")
    reply: object = Ok(1, 0, 0, 0) if in_mysql and role == "write" else b"1"
    if in_mysql and role == "read":
        reply = [(b"1.0000",) * 5]
    requested = []
    for begin in made(lane, "fair", 3, role=role, shape=shape).partition(3):
        program = begin(session_of())
        step = next(program)
        seen: list[bytes] = []
        for _ in range(200):
            several = isinstance(step, list)
            requests = step if isinstance(step, list) else [step]
            assert all(isinstance(request, tuple) for request in requests)
            text = b"".join(request[1] for request in requests)  # type: ignore[index]
            values = re.findall(VALUES[in_mysql, role], text)
            seen += sorted(value.replace(b",", b":") for value in values)
            step = next_of(program, [ALL_OK] * len(requests) if several else reply)
        requested.append(seen)
    return requested


@pytest.mark.parametrize("role", ["write", "read"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.kind)
def test_every_lane_gets_the_same_requests_in_the_same_order(
    role: Role, shape: KeyDistribution
) -> None:
    mysql = streams("mysql", role, shape)
    assert all(len(set(seen)) > 50 for seen in mysql)
    assert len(mysql[0]) == (200 * 20 if role == "write" else 200)
    for lane in ("cached", "durable"):
        assert streams(lane, role, shape) == mysql


@pytest.mark.parametrize(
    ("lane", "preset"),
    [("mysql", "fair"), ("mysql", "deck"), ("cached", "fair"), ("durable", "fair")],
)
def test_a_request_is_built_once_for_all_readers(lane: str, preset: str) -> None:
    """Or 64 readers of the deck's 50,001 keys hold 0.8 GB of requests."""
    built: dict[bytes, set[int]] = {}
    for requests in readers(lane, preset, 3):
        for request in requests:
            built.setdefault(request, set()).add(id(request))
    assert len(built) > len(HOT_KEYS) * 0.9
    assert all(len(objects) == 1 for objects in built.values())


@pytest.mark.parametrize("lane", ["mysql", "cached"])
@pytest.mark.parametrize("found_at_last", [True, False])
def test_every_try_of_a_search_is_reconciled(lane: str, found_at_last: bool) -> None:
    """A deck reader that finds nothing tries on, until it finds a car or is told to begin nothing new."""
    issuing = True
    programs = made(lane, "deck", 1, issuing=lambda: issuing)
    (begin,) = programs.partition(1)
    program = begin(session_of())
    calls = {"Com_select": 0, "get_calls": 0, "set_calls": 0}
    step = next(program)
    while True:
        assert isinstance(step, tuple)
        connection, request = step[:2]
        reply: object = b"OK"
        if connection.address == MYSQL_ADDRESS:
            calls["Com_select"] += 1
            last = calls["Com_select"] == 4
            issuing = found_at_last or not last
            row = (b"1.0000",) * 4 + (b"1", car_in(request))
            reply = [row if found_at_last and last else ABSENT_ROW]
        elif b"GET" in request:
            calls["get_calls"] += 1
            reply = None
        else:
            calls["set_calls"] += 1
        step = program.send(reply)
        if isinstance(step, tuple) and len(step) == 4:
            ended = step[3]
            break
    read = RoleStats(operations=1, rows=ended.rows)
    cache = CacheStats(ended.hits, ended.misses, ended.fills, ended.duplicate_fills, ended.skipped)
    server = {**calls, "keyspace_hits": 0, "keyspace_misses": calls["get_calls"]}
    assert reconcile(lane, "deck", RoleStats(), read, cache, server).verdict == "reconciled"


def requests_of(lane: str, role: Role, preset: str, namespace: Namespace) -> list[bytes]:
    """What one connection sends in a few operations: a miss, a row that MySQL has, and writes that succeed."""
    (begin,) = made(lane, preset, 1, role=role, namespace=namespace).partition(1)
    program = begin(session_of())
    step, sent = next(program), []
    for _ in range(60):
        if isinstance(step, Completed):
            step = program.send(None)
            continue
        several = isinstance(step, list)
        requests = step if isinstance(step, list) else [step]
        sent += [request[1] for request in requests]  # type: ignore[index]
        replies: list[object] = []
        for text in sent[-len(requests) :]:
            if b"\r\nGET\r\n" in text:
                replies.append(None)
            elif b"SELECT" in text:
                replies.append([(b"1.0000", b"1.0000", b"1.0000", b"1.0000", b"1")])
            elif b"\r\nSET\r\n" in text:
                replies.append(ALL_OK if several else b"OK")
            else:
                replies.append(Ok(1, 0, 0, 0))
        step = program.send(replies if several else replies[0])
    return sent


@pytest.mark.parametrize("preset", ["fair", "deck"])
@pytest.mark.parametrize("role", ["write", "read"])
@pytest.mark.parametrize("lane", LANES)
def test_every_request_names_the_table_or_a_key_of_its_own_namespace(
    lane: str, role: Role, preset: str
) -> None:
    own, other = (
        [
            re.findall(rb"telemon:[^:\r]*:?[^:\r]*|cars\w*", text)
            for text in sent
            if b"COMMIT" not in text
        ]
        for sent in (
            requests_of(lane, role, preset, namespace) for namespace in (Namespace("blue"), DEFAULT)
        )
    )
    assert len(own) == len(other) > 10
    for names in own:
        assert names
        assert all(re.fullmatch(rb"telemon:blue:[0-9]+|cars_blue", name) for name in names), names
    for names in other:
        assert names
        assert all(re.fullmatch(rb"telemon:[0-9]+|cars", name) for name in names), names
