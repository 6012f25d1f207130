"""The programs of one engine process: what they share."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from engines.endpoint import LaneEndpoints
from engines.frame import Cache, Work
from engines.link import MYSQL as MYSQL_DIALECT
from engines.link import REDIS, Link
from engines.message import Spec
from engines.outcome import Done
from engines.programs import Programs
from engines.reconcile import reconcile
from engines.session import Links, Session
from engines.topology import SLOTS, SlotRange, Topology
from engines.workload import HOT

NODE = "node:6379"


def made(
    lane: str, preset: str, connections: int, flowing: Callable[[], bool] = lambda: True
) -> Programs:
    """The programs of one engine process of readers."""
    spec = Spec(
        lane=lane,
        role="read",
        process=0,
        processes=1,
        connections=connections,
        preset=preset,
        seed=1,
        batch=1,
        ttl_s=1.0,
        endpoints=LaneEndpoints(lane),
    )
    programs = Programs(spec, flowing=flowing, redirected=lambda: None)
    programs.topologies = [Topology([SlotRange(0, SLOTS - 1, NODE)], refresh=lambda: None)]
    return programs


def session_of() -> Session:
    session = Session()
    session.links = Links(
        lambda address: Link(
            session, address, MYSQL_DIALECT if address == "mysql" else REDIS, socket.socket
        )
    )
    return session


def readers(lane: str, preset: str, connections: int) -> list[list[bytes]]:
    """The first requests of each reader of one engine process that is told of hits, or of rows, only."""
    asked = []
    for begin in made(lane, preset, connections).deal(connections):
        program = begin(session_of())
        reply = [(b"1.0000",) * 5] if lane == "mysql" else b"1"
        step = next(program)
        requests = []
        for _ in range(5 * len(HOT)):
            assert isinstance(step, tuple)
            requests.append(step[1])
            program.send(reply)  # how it ended
            step = program.send(None)
        asked.append(requests)
    return asked


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
    assert len(built) > len(HOT) * 0.9
    assert all(len(objects) == 1 for objects in built.values())


@pytest.mark.parametrize("lane", ["mysql", "cached"])
@pytest.mark.parametrize("found_at_last", [True, False])
def test_every_try_of_a_search_is_reconciled(lane: str, found_at_last: bool) -> None:
    """A deck reader that finds nothing tries on, until it finds a car or is told to begin nothing new."""
    flowing = True
    programs = made(lane, "deck", 1, flowing=lambda: flowing)
    (begin,) = programs.deal(1)
    program = begin(session_of())
    calls = {"Com_select": 0, "get_calls": 0, "set_calls": 0}
    step = next(program)
    while not isinstance(step, Done):
        assert isinstance(step, tuple)
        link, request, _ = step
        reply: object = b"OK"
        if link.address == "mysql":
            calls["Com_select"] += 1
            last = calls["Com_select"] == 4
            flowing = found_at_last or not last
            reply = [(b"1.0000" if found_at_last and last else None,) * 5]
        elif b"GET" in request:
            calls["get_calls"] += 1
            reply = None
        else:
            calls["set_calls"] += 1
        step = program.send(reply)
    read = Work(operations=1, rows=step.rows)
    cache = Cache(step.hits, step.misses, step.fills, step.duplicate_fills, step.skipped)
    server = {**calls, "keyspace_hits": 0, "keyspace_misses": calls["get_calls"]}
    assert reconcile(lane, "deck", Work(), read, cache, server).verdict == "reconciled"
