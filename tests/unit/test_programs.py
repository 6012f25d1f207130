"""The programs of one engine process: what they share."""

from __future__ import annotations

import socket

import pytest

from engines.endpoint import LaneEndpoints
from engines.link import MYSQL as MYSQL_DIALECT
from engines.link import REDIS, Link
from engines.message import Spec
from engines.programs import Programs
from engines.session import Links, Session
from engines.topology import SLOTS, SlotRange, Topology
from engines.workload import HOT

NODE = "node:6379"


def readers(lane: str, preset: str, connections: int) -> list[list[bytes]]:
    """The first requests of each reader of one engine process that is told of hits, or of rows, only."""
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
    programs = Programs(spec, flowing=lambda: True, redirected=lambda: None)
    programs.topologies = [Topology([SlotRange(0, SLOTS - 1, NODE)], refresh=lambda: None)]
    asked = []
    for begin in programs.deal(connections):
        session = Session()
        session.links = Links(
            lambda address, session=session: Link(  # type: ignore[misc]
                session, address, MYSQL_DIALECT if address == "mysql" else REDIS, socket.socket
            )
        )
        program = begin(session)
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
