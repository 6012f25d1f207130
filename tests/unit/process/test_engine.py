"""What an engine process does with what it is told, without a server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event
from time import perf_counter_ns
from typing import Any

import pytest
from pymysql.err import OperationalError

from engines.config.settings import LoadConfig
from engines.driver.session import Connection, Session
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.ipc.channel import Channel
from engines.ipc.messages import (
    EngineSpec,
    HeatDone,
    IntervalReport,
    NodeCountsReport,
    NotReady,
    StartMeasuring,
    StartRun,
    Stop,
)
from engines.ipc.schedule import Schedule
from engines.lanes.context import MYSQL_ADDRESS
from engines.model import controls as control
from engines.process import connect as routes
from engines.process import topology as topologies
from engines.process.__main__ import _first_messages
from engines.process.engine import Engine
from engines.wire.dialect import MYSQL as MYSQL_DIALECT
from engines.wire.resp import SLOTS

MYSQL = MySQLEndpoint("db.example", 3307, "u", "p", "d")
SPEC = EngineSpec(
    "mysql",
    "read",
    0,
    1,
    1,
    LoadConfig(preset="fair", seed=1, batch=1, ttl_s=1.0),
    LaneEndpoints("mysql", mysql=MYSQL),
)
FAR_NS = 3_600_000_000_000


class Harness:
    """A worker whose far end is the test."""

    def __init__(self, spec: EngineSpec = SPEC, *early: object) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.theirs = Channel(theirs)
        self.worker = Engine(self.theirs, spec, early)
        self.reactor: Any = self.worker._reactor
        self.said: list[Any] = []

    def turn(self, until: Callable[[], bool], at_most_ms: int = 10_000) -> None:
        deadline_ns = perf_counter_ns() + at_most_ms * 1_000_000

        def look() -> None:
            self.said += self.channel.receive()
            if until() or perf_counter_ns() >= deadline_ns:
                self.reactor.running = False
            else:
                self.reactor.after_ns(200_000, look)

        self.reactor.running = True
        look()
        self.reactor.run()

    def heard(self, kind: type) -> list[Any]:
        self.said += self.channel.receive()
        return [message for message in self.said if isinstance(message, kind)]

    def go(self, *, held: bool = False) -> None:
        """Start the race now, for as long as it takes."""
        now_ns = perf_counter_ns()
        self.worker._phases.go(StartRun(Schedule(now_ns, now_ns, None, FAR_NS), held=held))
        self.turn(lambda: self.worker._phases._started)


class Stuck(Harness):
    """One whose sessions are in an operation for as long as `busy` says so; nothing is ever sent."""

    def __init__(self, spec: EngineSpec = SPEC) -> None:
        super().__init__(spec)
        self.busy = False
        self.begun = 0
        self.reactor.busy = lambda: int(self.busy)
        self.reactor.begin_all = self._begin_all

    def _begin_all(self) -> None:
        self.begun += 1
        self.reactor.issuing = True


@pytest.fixture
def made() -> Iterator[list[Harness]]:
    harnesses: list[Harness] = []
    yield harnesses
    for harness in harnesses:
        harness.reactor.close()
        harness.channel.close()
        harness.theirs.close()


@pytest.mark.parametrize("asked", [control.Resume(), control.Connections("read", 0)])
def test_nothing_that_is_asked_in_the_drain_of_a_heat_lets_its_lane_race_on(
    made: list[Harness], asked: object
) -> None:
    stuck = Stuck()
    made.append(stuck)
    stuck.go(held=True)
    now_ns = perf_counter_ns()
    stuck.worker._phases.begin(StartMeasuring(now_ns, now_ns, None, final=False))
    assert stuck.begun > 0
    begun, stuck.busy = stuck.begun, True
    stuck.worker._phases._rest()
    stuck.worker._apply_control(asked)  # An operation is still under way.
    stuck.turn(lambda: False, 5)
    stuck.busy = False
    stuck.turn(lambda: bool(stuck.heard(HeatDone)))
    stuck.turn(lambda: False, 5)
    assert stuck.heard(HeatDone)
    assert (stuck.reactor.issuing, stuck.begun) == (False, begun)

    # It goes when it is told to.
    now_ns = perf_counter_ns()
    stuck.worker._phases.begin(StartMeasuring(now_ns, now_ns, None))
    assert stuck.reactor.issuing


def test_the_time_in_which_cars_are_dealt_out_anew_is_not_the_servers(made: list[Harness]) -> None:
    """What is due until the operations under way are over is overdue, what would be while connections open is not."""
    stuck = Stuck(replace(SPEC, rate_per_s=1000.0))
    made.append(stuck)
    stuck.go()
    arrivals = stuck.reactor.open_loop.arrivals
    while arrivals.backlog(perf_counter_ns()):
        arrivals.take()
    opening = [True]
    unopened = Connection(Session(), MYSQL_ADDRESS, MYSQL_DIALECT, socket.socket)
    stuck.reactor.connections.unopened = lambda: [unopened] if opening else []
    stuck.busy = True
    stuck.worker._apply_control(control.Connections("read", 0))
    stuck.turn(lambda: False, 200)
    stuck.busy = False
    stuck.turn(lambda: False, 400)
    opening.clear()
    stuck.turn(lambda: stuck.reactor.issuing)
    # A thousand a second; a busy machine may take a while from one line to the next.
    assert 190 <= arrivals.backlog(perf_counter_ns()) < 400


def test_a_pause_and_a_change_of_rate_forget_no_operation_that_was_due(made: list[Harness]) -> None:
    """Nothing becomes due in a pause, and what was overdue before still is after it, whatever the rate is then."""
    stuck = Stuck(replace(SPEC, rate_per_s=1000.0))
    made.append(stuck)
    stuck.go()
    backlog = stuck.reactor.open_loop.backlog
    stuck.turn(lambda: backlog() >= 300)
    stuck.worker._apply_control(control.Pause())
    paused = backlog()
    stuck.turn(lambda: False, 300)
    assert backlog() == paused >= 300
    stuck.worker._apply_control(control.Rate(1.0))
    assert backlog() == paused
    stuck.worker._apply_control(control.Resume())
    assert stuck.reactor.issuing
    # One a second from now on: the first of them is due where the pace changed.
    assert backlog() == paused + 1
    stuck.worker._apply_control(control.Rate(0.01))
    assert paused + 1 <= backlog() <= paused + 2
    # In a closed loop nothing is due.
    stuck.worker._apply_control(control.Rate(None))
    assert backlog() == 0
    stuck.worker._apply_control(control.Rate(0.01))
    assert backlog() <= 1


def test_a_warm_up_leaves_no_backlog_at_the_start_line(made: list[Harness]) -> None:
    stuck = Stuck(replace(SPEC, rate_per_s=1000.0))
    made.append(stuck)
    course, backlog = stuck.worker._phases, stuck.reactor.open_loop.backlog
    now_ns = perf_counter_ns()
    course.go(StartRun(Schedule(now_ns, now_ns + 100_000_000, None, FAR_NS), held=True))
    stuck.turn(lambda: course._started)
    stuck.turn(lambda: backlog() > 20)
    stuck.turn(lambda: course._held)
    stuck.turn(lambda: False, 50)
    assert backlog() == 0
    stuck.worker._apply_control(control.Rate(2000.0))
    stuck.turn(lambda: False, 50)
    assert backlog() == 0
    now_ns = perf_counter_ns()
    course.begin(StartMeasuring(now_ns, now_ns, None, final=False))
    stuck.turn(lambda: False, 100)
    assert 200 <= backlog() < 2000
    # What a heat could not do is said at its end, and not carried into the next.
    left = backlog()
    course._rest()
    stuck.turn(lambda: bool(stuck.heard(HeatDone)))
    assert left <= stuck.heard(IntervalReport)[-1].backlog < left + 100
    stuck.turn(lambda: False, 20)
    assert backlog() == 0


def test_what_was_due_at_the_end_and_not_begun_is_said(made: list[Harness]) -> None:
    stuck = Stuck(replace(SPEC, rate_per_s=1000.0))
    made.append(stuck)
    stuck.go()
    stuck.turn(lambda: stuck.reactor.open_loop.backlog() >= 100)
    stuck.busy = True
    stuck.worker._phases.stop()
    left = stuck.reactor.open_loop.backlog()
    stuck.turn(lambda: False, 50)  # Nothing is due after the end.
    stuck.busy = False
    stuck.turn(lambda: any(report.last for report in stuck.heard(IntervalReport)))
    assert stuck.heard(IntervalReport)[-1].backlog == left >= 100


def test_what_came_with_the_spec_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that was slow to start finds several messages at once."""

    def refused(*_: object, **__: object) -> socket.socket:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(routes, "_open_mysql", refused)
    ours, theirs = map(Channel, socket.socketpair())
    ours.send(SPEC)
    ours.send(Stop())
    spec, *early = _first_messages(theirs)
    assert spec == SPEC

    engine = Engine(theirs, SPEC, early)
    reactor = engine._reactor
    reactor.after_ns(5_000_000_000, lambda: setattr(reactor, "running", False))
    engine.run()  # Ends, since it was told to.
    said = ours.receive()
    ours.close()
    theirs.close()
    reports = [message for message in said if isinstance(message, IntervalReport)]
    assert [report.last for report in reports] == [True]
    assert any(isinstance(message, NodeCountsReport) for message in said)
    # It never began, and has done nothing for no time.
    assert reports[0].warm.work.interval_s < 1e-6
    assert reports[0].measured.work.interval_s == 0.0
    assert reports[0].cpu_share == 0.0


def test_a_trouble_is_told_with_its_server_and_in_words(
    made: list[Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> socket.socket:
        raise OperationalError(1040, "Too many connections")

    monkeypatch.setattr("engines.backends.mysql.client.open_socket", full)
    harness = Harness()
    made.append(harness)
    monkeypatch.setattr("engines.process.engine.NOT_READY_EVERY_NS", 0)
    harness.worker._discover()
    harness.turn(lambda: bool(harness.heard(NotReady)))
    assert harness.heard(NotReady)[0] == NotReady("db.example:3307", "Too many connections")
    harness.worker._phases.report(perf_counter_ns())
    (report,) = harness.heard(IntervalReport)
    assert (report.closed_connections, report.problem) == (
        1,
        "db.example:3307: Too many connections",
    )


def test_no_former_reason_is_told_for_a_new_trouble(made: list[Harness]) -> None:
    harness = Harness()
    made.append(harness)
    session = Session()
    connection = Connection(session, MYSQL_ADDRESS, MYSQL_DIALECT, socket.socket)
    connection.last_error = "refused, at first"
    near, far = socket.socketpair()
    connection.attach(near)
    connection.detach()
    far.close()
    harness.reactor.connections._connections.append(connection)
    assert [closed.last_error for closed in harness.reactor.connections.closed()] == [""]
    harness.worker._phases.report(perf_counter_ns())
    assert harness.heard(IntervalReport)[0].problem == "db.example:3307: the connection was lost"


def test_the_question_for_the_topology_waits_for_no_connection(
    made: list[Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every node but the one that is asked swallows packets: the answer is what says whom to turn to."""
    endpoint = RedisEndpoint("a", 1, "p", cluster=True)
    harness = Harness(
        replace(SPEC, lane="durable", endpoints=LaneEndpoints("durable", redis=endpoint))
    )
    made.append(harness)
    gate = Event()

    def silent(*_: object) -> socket.socket:
        gate.wait(10)
        raise TimeoutError("timed out")

    ranges = [SlotRange(0, SLOTS - 1, "b:1")]
    monkeypatch.setattr(routes, "_open_redis", silent)
    monkeypatch.setattr(topologies, "_ask", lambda *_: ranges)
    topology = SlotMap([SlotRange(0, SLOTS - 1, "a:1")], lambda: None)
    harness.worker._topologies.known = harness.worker._programs.topologies = [topology]
    for program in harness.worker._programs.partition(8):
        harness.worker._add_session(program)
    harness.worker._topologies.refresh()
    harness.turn(lambda: topology.owner[0] == "b:1", 5_000)
    gate.set()
    assert topology.owner[0] == "b:1"
