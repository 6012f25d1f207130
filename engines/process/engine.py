"""Engine process: one role of one lane, its reactor, its statistics, and the channel to the race.

`engines.race.engine_process` starts it with the number of an inherited socket as its argument. It ends on a `Stop`
message, and at once if the race is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter_ns

from engines.backends.happy_eyeballs import remember
from engines.driver.reactor import Reactor
from engines.driver.session import Program, Session
from engines.ipc.channel import Channel
from engines.ipc.messages import (
    AcknowledgedRows,
    AcknowledgedVersions,
    EngineSpec,
    MeasureOverhead,
    NodeCountsReport,
    NotReady,
    OpenProgress,
    OverheadMeasured,
    Ready,
    StartMeasuring,
    StartRun,
    Stop,
)
from engines.ipc.schedule import STOP_DRAIN_NS
from engines.metrics.node_counts import NodeCounts, merged
from engines.model import controls as control
from engines.model.lanes import LANES
from engines.process.connect import ServerConnector
from engines.process.overhead import measure_client_overhead_us
from engines.process.phases import RunPhases
from engines.process.programs import ProgramFactory
from engines.process.topology import ClusterTopology
from engines.wire.dialect import REDIS

NOT_READY_EVERY_NS = 1_000_000_000
"""Minimum time between two messages that say why the process is not ready."""

DISCOVER_EVERY_NS = 250_000_000
"""Minimum time between two requests for the slot map while none has been answered, from all engine processes that
connect to the cluster."""

PROGRESS_EVERY_NS = 200_000_000
"""Minimum time between two messages that say how many connections are open. More makes the screen seem to stand."""

SAMPLE_EVERY_NS = 1_000_000_000
"""Time between two acknowledged batches that are kept from the course of a race, to be read back at its end."""

ROWS_READ_BACK = 1_000
"""Number of acknowledged rows of a lane that are read back at the end, over all its writer processes. More would find
a loss of few rows with more certainty, and the end of a race would take longer."""


class Engine:
    """Connects the lane's programs to a reactor, and the reactor to the channel."""

    def __init__(self, channel: Channel, spec: EngineSpec, early: Sequence[object] = ()) -> None:
        """Create the engine for `spec`; `early` holds the messages that arrived together with the spec."""
        self._early = early
        self._channel = channel
        self._spec = spec
        self._connector = ServerConnector(spec)
        remember(spec.answered)
        self._reactor = Reactor(
            self._connector, self._on_connection_problem, self._connector.processes
        )
        self._programs = ProgramFactory(spec, lambda: self._reactor.issuing, self._on_redirect)
        self._topology = ClusterTopology(spec, self._reactor)
        self._phases = RunPhases(
            spec, self._reactor, channel, self._problem, self._violation, self._finish
        )
        self._problem_sent_ns = 0
        """When the last `NotReady` was sent."""
        self._progress_sent_ns = 0
        """When the last `OpenProgress` was sent."""
        self._connections = spec.connections

    # ---------------------------------------------------------------- start

    def run(self) -> None:
        """Open the connections and run until the last report is sent; blocks until then."""
        self._reactor.watch(self._channel.fileno(), self._receive)
        if self._spec.role == "write":
            self._reactor.after_ns(SAMPLE_EVERY_NS, self._sample_acknowledged)
        self._discover()
        self._handle(self._early)
        self._reactor.run()
        self._reactor.close()

    def _discover(self) -> None:
        """Fetch the slot map if the lane has one, then open the sessions' connections."""

        def failed(address: str, reason: str) -> None:
            self._channel.send(NotReady(address, reason))
            self._reactor.after_ns(DISCOVER_EVERY_NS * self._spec.sharing.redis, self._discover)

        self._topology.discover(self._open_sessions, failed)

    def _open_sessions(self) -> None:
        """Create all sessions, with the slot maps that were found."""
        self._programs.topologies = self._topology.slot_maps
        for program in self._programs.partition(self._spec.connections):
            self._add_session(program)
        self._await_connections()

    def _add_session(self, program: Callable[[Session], Program]) -> None:
        """Add a session that runs `program`, and open its connections to all Redis nodes."""
        slot_map = self._programs.topology(len(self._reactor.sessions))
        session = self._reactor.add(program)
        if slot_map is not None:
            for address in sorted(slot_map.addresses()):
                session.connections[address]  # opens the connection before the first request

    def _await_connections(self) -> None:
        """Send `Ready` once every connection has been open; until then send how many are, and what keeps the others."""
        unopened = self._reactor.connections.unopened()
        now_ns = perf_counter_ns()
        if not unopened or now_ns - self._progress_sent_ns > PROGRESS_EVERY_NS:
            self._progress_sent_ns = now_ns
            wanted = sum(1 for _ in self._reactor.connections.all())
            waiting_for = self._connector.name(unopened[0].address) if unopened else ""
            self._channel.send(OpenProgress(wanted - len(unopened), wanted, waiting_for))
        if not unopened:
            self._channel.send(Ready())
            return
        refused = next((connection for connection in unopened if connection.failures), None)
        if refused is not None and now_ns - self._problem_sent_ns > NOT_READY_EVERY_NS:
            self._problem_sent_ns = now_ns
            self._channel.send(NotReady(self._connector.name(refused.address), refused.last_error))
        self._reactor.after_ns(5_000_000, self._await_connections)

    # ---------------------------------------------------------------- the race

    def _receive(self) -> None:
        """Handle the messages that have arrived; exit the process if the race is gone."""
        self._handle(self._channel.receive())
        if self._channel.closed:
            # The race is gone, so no process is left to report to.
            os._exit(1)

    def _handle(self, messages: Iterable[object]) -> None:
        """Execute `messages` in order."""
        for message in messages:
            if isinstance(message, StartRun):
                self._phases.start(message)
            elif isinstance(message, MeasureOverhead):
                overhead_us = measure_client_overhead_us(
                    self._spec, message.mysql_port, message.redis_port
                )
                self._channel.send(OverheadMeasured(overhead_us))
            elif isinstance(message, StartMeasuring):
                self._reactor.timers.at(
                    message.at_ns, partial(self._phases.start_measuring, message)
                )
            elif isinstance(message, Stop):
                self._phases.stop(STOP_DRAIN_NS)
            else:
                self._apply_control(message)

    def _sample_acknowledged(self) -> None:
        """Keep one of the batches that were acknowledged last, once in a while."""
        self._programs.acknowledged.sample()
        self._reactor.after_ns(SAMPLE_EVERY_NS, self._sample_acknowledged)

    # ---------------------------------------------------------------- the end

    def _finish(self) -> None:
        """Send the closing counts and the last report, then exit the loop."""
        if self._spec.keep_versions:
            self._channel.send(AcknowledgedVersions(self._programs.versions))
        if self._spec.role == "write":
            record, limit = self._programs.acknowledged, ROWS_READ_BACK // self._spec.processes
            self._channel.send(AcknowledgedRows(record.rows(max(2, limit)), record.unanswered))
        self._channel.send(NodeCountsReport(self._node_counts()))
        self._phases.report(perf_counter_ns(), last=True)
        self._exit_when_flushed()

    def _node_counts(self) -> dict[str, NodeCounts]:
        """Return the commands that each Redis node answered.

        Readers send GETs and the SETs of their fills. Writers whose path has SETs send nothing else. Other commands
        of writers are not in the counts of a node.
        """
        writes = self._spec.role == "write"
        sets = "SET" in LANES[self._spec.lane].redis_commands("write")
        return merged(
            {
                connection.address: NodeCounts(
                    sets=connection.answered * sets if writes else connection.fills,
                    gets=0 if writes else connection.answered - connection.fills,
                    misses=connection.misses,
                )
            }
            for connection in self._reactor.connections.all()
            if connection.dialect is REDIS
        )

    def _exit_when_flushed(self) -> None:
        """Stop the loop once the last message is sent."""
        self._channel.flush()
        if self._channel.flushed or self._channel.closed:
            self._reactor.running = False
            return
        self._reactor.after_ns(5_000_000, self._exit_when_flushed)

    # ---------------------------------------------------------------- controls

    def _apply_control(self, message: object) -> None:
        """Apply a control of the running race."""
        if isinstance(message, control.Pause):
            self._phases.pause()
        elif isinstance(message, control.Resume):
            self._phases.resume()
        elif isinstance(message, control.Batch):
            self._programs.set_batch(message.rows)
        elif isinstance(message, control.Ttl):
            self._programs.ttl_ms = round(message.ttl_s * 1000)
        elif isinstance(message, control.Rate):
            self._phases.set_rate(message.per_s)
        elif isinstance(message, control.Connections) and message.role == self._spec.role:
            base, remainder = divmod(message.count, self._spec.processes)
            self._connections = base + (self._spec.process < remainder)
            self._repartition()

    def _repartition(self) -> None:
        """Partition the keys again over the number of connections that is now wanted.

        All operations complete first, and operations built in advance are discarded, so that no key has two writers at
        a time.
        """
        reactor = self._reactor
        self._phases.suspend()
        if reactor.busy():
            self._reactor.after_ns(500_000, self._repartition)
            return
        self._phases.on_suspended()
        programs = self._programs.partition(self._connections)
        for session in reactor.sessions[len(programs) :]:
            reactor.remove(session)
        kept = len(reactor.sessions)
        for session, program in zip(reactor.sessions, programs, strict=False):
            reactor.restart(session, program)
        for program in programs[kept:]:
            self._add_session(program)
        self._resume_when_connected()

    def _resume_when_connected(self) -> None:
        """Resume once the new connections are open or have failed to open."""
        if any(not connection.failures for connection in self._reactor.connections.unopened()):
            self._reactor.after_ns(1_000_000, self._resume_when_connected)
            return
        self._phases.end_suspension()

    # ---------------------------------------------------------------- problems

    def _on_redirect(self) -> None:
        """Count a redirect."""
        self._reactor.redirects += 1

    def _violation(self) -> str:
        """Return one violation of the protocol since the last call, with the server's address; "" if there is none."""
        violations = self._reactor.connections.violations
        if not violations:
            return ""
        address, why = violations.popitem()
        violations.clear()
        return f"{self._connector.name(address)}: {why}"

    def _problem(self) -> str:
        """Return why one of the closed connections is down, or an empty string if none is."""
        closed = self._reactor.connections.closed()
        connection = next(
            (connection for connection in closed if connection.last_error),
            closed[0] if closed else None,
        )
        if connection is None:
            return ""
        return f"{self._connector.name(connection.address)}: {connection.last_error or 'the connection was lost'}"

    def _on_connection_problem(self) -> None:
        """Request the slot map again, because a node may have moved."""
        self._topology.refresh()
