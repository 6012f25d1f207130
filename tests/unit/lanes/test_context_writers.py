"""What writers record of a batch: acknowledged as a whole, or given up without an answer."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.context import MYSQL_ADDRESS
from engines.lanes.registry import WRITE
from engines.model.lanes import WritePath
from engines.wire import mysql, resp
from engines.wire.dialect import MYSQL, REDIS, ConnectionLost
from engines.wire.mysql_packet import MySQLErrorReply
from engines.wire.resp import SLOTS
from engines.workload.dataset import ALL_KEYS, TelemetryPool
from engines.workload.streams import BatchStream, Partition, Row
from tests.support.lane_context import lane_context

TELEMETRY = TelemetryPool(1)

PATHS = [(path, preset) for path in WritePath for preset in ("fair", "deck")]


class FakeSession:
    """A session whose connections know nothing but it."""

    def __init__(self) -> None:
        self.connections = {
            address: SimpleNamespace(session=self) for address in (MYSQL_ADDRESS, "a:1")
        }


class Writer:
    """A writer of batches of three rows, and what it has recorded."""

    def __init__(self, path: WritePath, preset: str) -> None:
        self.path = path
        self.acknowledged: list[list[Row]] = []
        self.given_up: list[list[Row]] = []
        slot_map = SlotMap([SlotRange(0, SLOTS - 1, "a:1")], lambda: None)
        context = replace(
            lane_context(slot_map, TELEMETRY),
            acknowledged=self.acknowledged.append,
            given_up=self.given_up.append,
        )
        batches = BatchStream(1, Partition(), ALL_KEYS, 3, count(100))
        session: Any = FakeSession()
        self.program = WRITE[path, preset](session, batches, context)
        self.step: Any = next(self.program)

    @property
    def done(self) -> bool:
        """Whether the operation has ended: its step is an outcome and no request."""
        return not isinstance(self.step, tuple | list)

    def answer(self, reply: object) -> None:
        """Answer the current request, however many connections it goes over."""
        self.step = self.program.send([reply] if isinstance(self.step, list) else reply)

    def run(self, last: object) -> None:
        """Answer every request of one operation with success, and from the second one on with `last`."""
        ok = mysql.Ok(0, 0, 2, 0) if self.path is WritePath.MYSQL else b"OK"
        if isinstance(self.step, list):
            self.answer(last if last is not None else resp.ALL_OK)
        first = True
        while not self.done:
            self.answer(ok if first or last is None else last)
            first = False


def lost(path: WritePath, kind: str) -> ConnectionLost:
    dialect = MYSQL if path is WritePath.MYSQL else REDIS
    return ConnectionLost(getattr(dialect, kind))


@pytest.mark.parametrize(("path", "preset"), PATHS)
def test_an_acknowledged_batch_is_recorded_whole(path: WritePath, preset: str) -> None:
    writer = Writer(path, preset)
    writer.run(None)
    ((*rows,),) = writer.acknowledged
    assert [version for _, _, version in rows] == [100, 101, 102]
    assert writer.given_up == []


@pytest.mark.parametrize("kind", ["connection_lost", "timed_out", "gone_away"])
@pytest.mark.parametrize(("path", "preset"), PATHS)
def test_a_batch_without_an_answer_is_unanswered(path: WritePath, preset: str, kind: str) -> None:
    writer = Writer(path, preset)
    if path is WritePath.MYSQL and preset == "fair":
        writer.answer(lost(path, kind))
    else:
        writer.run(lost(path, kind))
    assert writer.acknowledged == []
    ((*rows,),) = writer.given_up
    assert (rows[0][2], rows[-1][2]) == (100, 102)


@pytest.mark.parametrize(("path", "preset"), PATHS)
def test_a_batch_that_was_never_sent_is_not(path: WritePath, preset: str) -> None:
    writer = Writer(path, preset)
    writer.answer(lost(path, "cannot_connect"))
    assert writer.acknowledged == writer.given_up == []


@pytest.mark.parametrize(("path", "preset"), PATHS[:2])
def test_a_batch_that_was_refused_is_not(path: WritePath, preset: str) -> None:
    writer = Writer(path, preset)
    writer.answer(MySQLErrorReply(1213, "40001", "Deadlock found"))
    assert writer.acknowledged == writer.given_up == []


@pytest.mark.parametrize(("path", "preset"), PATHS)
def test_a_batch_that_is_dropped_in_flight_is_unanswered(path: WritePath, preset: str) -> None:
    writer = Writer(path, preset)
    writer.program.close()
    ((*rows,),) = writer.given_up
    assert (rows[0][2], rows[-1][2]) == (100, 102)
