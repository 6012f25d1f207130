"""Messages to an engine process and their effects, without a server."""

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
from engines.driver.backoff import ReconnectLimit
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
    ServerSharing,
    StartMeasuring,
    StartRun,
    Stop,
)
from engines.ipc.schedule import Schedule
from engines.lanes.context import MYSQL_ADDRESS
from engines.model import controls as control
from engines.process import connect as routes
from engines.process import topology
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
    """An engine whose race is the test."""

    def __init__(self, spec: EngineSpec = SPEC, *early: object) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.theirs = Channel(theirs)
        self.worker = Engine(self.theirs, spec, early)
        self.reactor: Any = self.worker._reactor
        self.received: list[Any] = []

    def turn(self, until: Callable[[], bool], at_most_ms: int = 10_000) -> None:
        deadline_ns = perf_counter_ns() + at_most_ms * 1_000_000

        def look() -> None:
            self.received += self.channel.receive()
            if until() or perf_counter_ns() >= deadline_ns:
                self.reactor.running = False
            else:
                self.reactor.after_ns(200_000, look)

        self.reactor.running = True
        look()
        self.reactor.run()

    def messages(self, kind: type) -> list[Any]:
        self.received += self.channel.receive()
        return [message for message in self.received if isinstance(message, kind)]

    def start(self, *, held: bool = False) -> None:
        """Start a run without an end now."""
        now_ns = perf_counter_ns()
        self.worker._phases.start(StartRun(Schedule(now_ns, now_ns, None, FAR_NS), held=held))
        self.turn(lambda: self.worker._phases._started)


class Stuck(Harness):
    """A harness whose sessions have an operation in flight while `busy` is set; nothing is ever sent."""

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


@pytest.mark.parametrize("change", [control.Resume(), control.Connections("read", 0)])
def test_no_control_in_the_drain_of_a_heat_starts_operations(
    made: list[Harness], change: object
) -> None:
    stuck = Stuck()
    made.append(stuck)
    stuck.start(held=True)
    now_ns = perf_counter_ns()
    stuck.worker._phases.start_measuring(StartMeasuring(now_ns, now_ns, None, final=False))
    assert stuck.begun > 0
    begun, stuck.busy = stuck.begun, True
    stuck.worker._phases._end_heat()
    stuck.worker._apply_control(change)  # An operation is still in flight.
    stuck.turn(lambda: False, 5)
    stuck.busy = False
    stuck.turn(lambda: bool(stuck.messages(HeatDone)))
    stuck.turn(lambda: False, 5)
    assert stuck.messages(HeatDone)
    assert (stuck.reactor.issuing, stuck.begun) == (False, begun)

    # It starts when the race says so.
    now_ns = perf_counter_ns()
    stuck.worker._phases.start_measuring(StartMeasuring(now_ns, now_ns, None))
    assert stuck.reactor.issuing


def test_the_time_of_a_repartition_is_not_counted_against_the_servers(made: list[Harness]) -> None:
    """Operations due before those in flight have completed are late; time in which connections open adds none."""
    stuck = Stuck(replace(SPEC, rate_per_s=1000.0))
    made.append(stuck)
    stuck.start()
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
    # The rate is 1,000 per second; a busy machine may take a while from one line to the next.
    assert 190 <= arrivals.backlog(perf_counter_ns()) < 400


def test_a_pause_and_a_change_of_rate_keep_the_backlog(made: list[Harness]) -> None:
    """Nothing becomes due in a pause; the backlog from before remains, whatever the new rate is."""
    stuck = Stuck(replace(SPEC, rate_per_s=1000.0))
    made.append(stuck)
    stuck.start()
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
    # The rate is one per second from now on; the first of them is due when the rate changed.
    assert backlog() == paused + 1
    stuck.worker._apply_control(control.Rate(0.01))
    assert paused + 1 <= backlog() <= paused + 2
    # In a closed loop nothing is due.
    stuck.worker._apply_control(control.Rate(None))
    assert backlog() == 0
    stuck.worker._apply_control(control.Rate(0.01))
    assert backlog() <= 1


def test_a_warm_up_leaves_no_backlog_at_the_start_barrier(made: list[Harness]) -> None:
    stuck = Stuck(replace(SPEC, rate_per_s=1000.0))
    made.append(stuck)
    phases, backlog = stuck.worker._phases, stuck.reactor.open_loop.backlog
    now_ns = perf_counter_ns()
    phases.start(StartRun(Schedule(now_ns, now_ns + 100_000_000, None, FAR_NS), held=True))
    stuck.turn(lambda: phases._started)
    stuck.turn(lambda: backlog() > 20)
    stuck.turn(lambda: phases._held)
    stuck.turn(lambda: False, 50)
    assert backlog() == 0
    stuck.worker._apply_control(control.Rate(2000.0))
    stuck.turn(lambda: False, 50)
    assert backlog() == 0
    now_ns = perf_counter_ns()
    phases.start_measuring(StartMeasuring(now_ns, now_ns, None, final=False))
    stuck.turn(lambda: False, 100)
    assert 200 <= backlog() < 2000
    # The backlog of a heat is reported at its end and not carried into the next.
    left = backlog()
    phases._end_heat()
    stuck.turn(lambda: bool(stuck.messages(HeatDone)))
    assert left <= stuck.messages(IntervalReport)[-1].backlog < left + 100
    stuck.turn(lambda: False, 20)
    assert backlog() == 0


def test_the_backlog_at_the_end_is_reported(made: list[Harness]) -> None:
    stuck = Stuck(replace(SPEC, rate_per_s=1000.0))
    made.append(stuck)
    stuck.start()
    stuck.turn(lambda: stuck.reactor.open_loop.backlog() >= 100)
    stuck.busy = True
    stuck.worker._phases.stop()
    left = stuck.reactor.open_loop.backlog()
    stuck.turn(lambda: False, 50)  # Nothing is due after the end.
    stuck.busy = False
    stuck.turn(lambda: any(report.last for report in stuck.messages(IntervalReport)))
    assert stuck.messages(IntervalReport)[-1].backlog == left >= 100


def test_messages_that_arrive_with_the_spec_are_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine process that was slow to start finds several messages at once."""

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
    engine.run()  # Ends, because of the `Stop`.
    received = ours.receive()
    ours.close()
    theirs.close()
    reports = [message for message in received if isinstance(message, IntervalReport)]
    assert [report.last for report in reports] == [True]
    assert any(isinstance(message, NodeCountsReport) for message in received)
    # The run never began: no operations in an interval of no length.
    assert reports[0].warm.work.interval_s < 1e-6
    assert reports[0].measured.work.interval_s == 0.0
    assert reports[0].cpu_share == 0.0


def test_a_problem_is_reported_with_its_server_and_in_words(
    made: list[Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> socket.socket:
        raise OperationalError(1040, "Too many connections")

    monkeypatch.setattr("engines.backends.mysql.client.open_socket", full)
    harness = Harness()
    made.append(harness)
    monkeypatch.setattr("engines.process.engine.NOT_READY_EVERY_NS", 0)
    harness.worker._discover()
    harness.turn(lambda: bool(harness.messages(NotReady)))
    assert harness.messages(NotReady)[0] == NotReady(
        "db.example:3307",
        "Too many connections (error 1040, too many connections): end connections that nobody needs, raise "
        "max_connections, or race with fewer writers and readers",
    )
    harness.worker._phases.report(perf_counter_ns())
    (report,) = harness.messages(IntervalReport)
    assert (report.closed_connections, report.problem) == (
        1,
        "db.example:3307: Too many connections (error 1040, too many connections): end connections that nobody needs, "
        "raise max_connections, or race with fewer writers and readers",
    )


def test_the_limits_on_reconnecting_are_shared_with_the_other_processes(
    made: list[Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> socket.socket:
        raise ConnectionRefusedError

    monkeypatch.setattr("engines.backends.mysql.client.open_socket", refused)
    harness = Harness(replace(SPEC, sharing=ServerSharing(mysql=8)))
    made.append(harness)
    connections = harness.reactor.connections
    connections.connection(Session(), MYSQL_ADDRESS)
    limit, alone = connections._limits[MYSQL_ADDRESS], ReconnectLimit(1)
    assert limit._per_s * 8 == alone._per_s
    assert limit._gap_ns >= 8 * alone._gap_ns


def test_no_old_reason_is_reported_for_a_new_problem(made: list[Harness]) -> None:
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
    assert harness.messages(IntervalReport)[0].problem == "db.example:3307: the connection was lost"


def test_a_request_for_the_slot_map_waits_for_no_connection(
    made: list[Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every node except the one that is asked drops packets: only the answer shows which node to use."""
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
    monkeypatch.setattr(topology, "_ask", lambda *_: ranges)
    slot_map = SlotMap([SlotRange(0, SLOTS - 1, "a:1")], lambda: None)
    harness.worker._topology.slot_maps = harness.worker._programs.topologies = [slot_map]
    for program in harness.worker._programs.partition(8):
        harness.worker._add_session(program)
    harness.worker._topology.refresh()
    harness.turn(lambda: slot_map.write_node[0] == "b:1", 5_000)
    gate.set()
    assert slot_map.write_node[0] == "b:1"
