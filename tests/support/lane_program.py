"""A lane's program played by hand: what it asks for, step by step, and what it does with each answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import chain, repeat
from typing import Any

from engines.driver.outcome import Completed, Failed
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.context import LaneContext
from engines.wire.dialect import ConnectionLost
from engines.wire.resp import RedisErrorReply
from engines.workload.dataset import TelemetryPool
from engines.workload.namespace import DEFAULT, Namespace
from engines.workload.streams import Row
from tests.support.lane_context import lane_context

A, B, C = "a:1", "b:1", "c:1"

RANGES = [SlotRange(0, 5_460, A), SlotRange(5_461, 10_922, B), SlotRange(10_923, 16_383, C)]

TELEMETRY = TelemetryPool(1)

SENT = ConnectionLost("redis_lost_connection")
"""The request may have been applied."""

NEVER_SENT = ConnectionLost("redis_cannot_connect")


ASKED_FOR = b"the car that was asked for"
"""Stands in `selected` for the id of the car."""


class Node:
    """A connection that counts as one does."""

    def __init__(self, session: PlayedSession, address: str) -> None:
        self.session, self.address = session, address
        self.answered = self.misses = self.fills = 0

    def __repr__(self) -> str:
        return self.address


class PlayedSession(dict[str, Node]):
    """A session that is its own connections."""

    began_ns = 1_000

    @property
    def connections(self) -> PlayedSession:
        return self

    def __missing__(self, address: str) -> Node:
        node = self[address] = Node(self, address)
        return node


class Batches:
    """Batches that are known beforehand; the last again and again."""

    def __init__(self, *batches: list[Row]) -> None:
        self._left = list(batches)

    def next(self) -> list[Row]:
        """Return the next batch."""
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


def keys(*car_ids: int) -> Callable[[], int]:
    """Return a function that returns these keys, one after the other; the last again and again."""
    return chain(car_ids, repeat(car_ids[-1])).__next__


class Played:
    """One session of a program, and what the program told the lane."""

    def __init__(
        self,
        program: Any,
        work: Any,
        *,
        ranges: Sequence[SlotRange] = RANGES,
        namespace: Namespace = DEFAULT,
    ) -> None:
        self.session = PlayedSession()
        self.acknowledged: list[list[Row]] = []
        self.given_up: list[list[Row]] = []
        self.refreshes = self.redirects = 0
        self.issuing = True
        slot_map = SlotMap(ranges, self._refreshed, after_refresh=lambda _, resume: resume())
        self.context: LaneContext = replace(
            lane_context(slot_map, TELEMETRY, namespace),
            issuing=lambda: self.issuing,
            redirected=self._redirected,
            acknowledged=self.acknowledged.append,
            given_up=self.given_up.append,
            ttl_ms=lambda: 777,
        )
        self._steps = program(self.session, work, self.context)
        self.step: Any = next(self._steps)

    def _refreshed(self) -> None:
        self.refreshes += 1

    def _redirected(self) -> None:
        self.redirects += 1

    def answer(self, reply: Any) -> Any:
        """Give the answer to the request, `selected` as that about the car that it is for; return the next step."""
        if isinstance(reply, list) and isinstance(self.step, tuple) and b"SELECT" in self.step[1]:
            car = self.step[1].rpartition(b" = ")[2]
            reply = [tuple(car if value is ASKED_FOR else value for value in row) for row in reply]
        self.step = self._steps.send(reply)
        return self.step

    def abandon(self) -> None:
        """End the session while it waits."""
        self._steps.close()

    @property
    def asked(self) -> tuple[str, bytes]:
        """Where the one request goes, and what it is; it expects one reply."""
        node, request, wanted = self.step[:3]
        assert wanted == 1
        return str(node), request

    @property
    def ended(self) -> dict[str, int]:
        """The counts of the operation before that are not 0; they came with the first request of the next one."""
        assert len(self.step) == 4, self.step
        return _counts(self.step[3])

    @property
    def is_first_request(self) -> bool:
        """Whether the request comes without the result of another operation."""
        return len(self.step) == 3

    def failed(self) -> str:
        """Return the kind of the failure that was yielded, and go on to the next operation."""
        assert self.step.__class__ is Failed, self.step
        kind: str = self.step.kind
        self.answer(None)
        return kind

    def completed(self) -> dict[str, int]:
        """Return the counts, those that are not 0, that were yielded alone, and go on to the next operation."""
        counts = _counts(self.step)
        self.answer(None)
        return counts


def _counts(result: Completed) -> dict[str, int]:
    assert result.__class__ is Completed, result
    return {name: count for name, count in asdict(result).items() if count}


def selected(version: int) -> list[tuple[bytes, ...]]:
    """Return MySQL's answer to the SELECT of a car, with this version."""
    return [(b"1000.0000", b"90.0000", b"80.5000", b"40.0000", b"%d" % version, ASKED_FOR)]


def refused(text: str) -> RedisErrorReply:
    """Return the error reply of a Redis server."""
    return RedisErrorReply.of(text)
