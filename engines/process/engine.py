"""An engine process: one role of one lane, its reactor, its counters, and the channel to the race.

Started by `engines.race.race` with the number of an inherited socket as its argument. It ends when told to, and at once
when the race is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter_ns

from engines.driver.reactor import Reactor
from engines.driver.session import Program, Session
from engines.ipc.channel import Channel
from engines.ipc.messages import (
    AcknowledgedVersions,
    EngineSpec,
    MeasureOverhead,
    NodeCountsReport,
    NotReady,
    OverheadMeasured,
    Ready,
    StartMeasuring,
    StartRun,
    Stop,
)
from engines.metrics.node_counts import NodeCounts, merged
from engines.model import controls as control
from engines.process.connect import ServerConnector
from engines.process.overhead import measure_client_overhead_us
from engines.process.phases import RunPhases
from engines.process.programs import ProgramFactory
from engines.process.topology import ClusterTopology
from engines.wire.dialect import REDIS

NOT_READY_EVERY_NS = 1_000_000_000
"""How often an engine whose connections do not stand says why."""


class Engine:
    """Wires a lane's programs to a reactor, and the reactor to the channel."""

    def __init__(self, channel: Channel, spec: EngineSpec, early: Sequence[object] = ()) -> None:
        """`early` holds the messages that came with the spec."""
        self._early = early
        self._channel = channel
        self._spec = spec
        self._routes = ServerConnector(spec)
        self._reactor = Reactor(self._routes, self._on_link_trouble)
        self._programs = ProgramFactory(spec, lambda: self._reactor.flowing, self._on_redirect)
        self._topologies = ClusterTopology(spec, self._reactor)
        self._course = RunPhases(spec, self._reactor, channel, self._trouble, self._finish)
        self._complained_ns = 0
        """When it was last said why the engine is not ready."""
        self._connections = spec.connections

    # ---------------------------------------------------------------- start

    def run(self) -> None:
        """From the first connection to the last delta."""
        self._reactor.watch(self._channel.fileno(), self._receive)
        self._discover()
        self._take(self._early)
        self._reactor.run()
        self._reactor.close()

    def _discover(self) -> None:
        """Learn the topology, where the lane has one, and open the sessions' connections."""

        def failed(address: str, reason: str) -> None:
            self._channel.send(NotReady(address, reason))
            self._reactor.after_ns(NOT_READY_EVERY_NS // 4, self._discover)

        self._topologies.discover(self._open_sessions, failed)

    def _open_sessions(self) -> None:
        self._programs.topologies = self._topologies.known
        for program in self._programs.deal(self._spec.connections):
            self._add_session(program)
        self._await_links()

    def _add_session(self, program: Callable[[Session], Program]) -> None:
        topology = self._programs.topology(len(self._reactor.sessions))
        session = self._reactor.add(program)
        if topology is not None:
            for address in sorted(topology.addresses()):
                session.links[address]  # opened ahead of the first request

    def _await_links(self) -> None:
        """Say Ready once every connection has stood; until then say now and then which does not."""
        unopened = self._reactor.wiring.unopened()
        if not unopened:
            self._channel.send(Ready())
            return
        now_ns = perf_counter_ns()
        refused = next((link for link in unopened if link.failures), None)
        if refused is not None and now_ns - self._complained_ns > NOT_READY_EVERY_NS:
            self._complained_ns = now_ns
            self._channel.send(NotReady(self._routes.name(refused.address), refused.refusal))
        self._reactor.after_ns(2_000_000, self._await_links)

    # ---------------------------------------------------------------- the race

    def _receive(self) -> None:
        self._take(self._channel.receive())
        if self._channel.closed:
            # The race is gone: nobody is left to report to.
            os._exit(1)

    def _take(self, messages: Iterable[object]) -> None:
        for message in messages:
            if isinstance(message, StartRun):
                self._course.go(message)
            elif isinstance(message, MeasureOverhead):
                floor_us = measure_client_overhead_us(
                    self._spec, message.mysql_port, message.redis_port
                )
                self._channel.send(OverheadMeasured(floor_us))
            elif isinstance(message, StartMeasuring):
                self._reactor.timers.at(message.at_ns, partial(self._course.begin, message))
            elif isinstance(message, Stop):
                self._course.stop()
            else:
                self._obey(message)

    # ---------------------------------------------------------------- the end

    def _finish(self) -> None:
        if self._programs.ledger is not None:
            self._channel.send(AcknowledgedVersions(self._programs.ledger))
        self._channel.send(NodeCountsReport(self._served()))
        self._course.report(perf_counter_ns(), last=True)
        self._leave()

    def _served(self) -> dict[str, NodeCounts]:
        """What each Redis node answered. Writers send it nothing but SETs, readers GETs and what they fill."""
        writes = self._spec.role == "write"
        return merged(
            {
                link.address: NodeCounts(
                    sets=link.answered if writes else link.fills,
                    gets=0 if writes else link.answered - link.fills,
                    misses=link.misses,
                )
            }
            for link in self._reactor.wiring.all()
            if link.dialect is REDIS
        )

    def _leave(self) -> None:
        """End once the last message has left."""
        self._channel.flush()
        if self._channel.clear or self._channel.closed:
            self._reactor.running = False
            return
        self._reactor.after_ns(5_000_000, self._leave)

    # ---------------------------------------------------------------- controls

    def _obey(self, message: object) -> None:
        if isinstance(message, control.Pause):
            self._course.pause()
        elif isinstance(message, control.Resume):
            self._course.resume()
        elif isinstance(message, control.Batch):
            self._programs.set_batch(message.rows)
        elif isinstance(message, control.Ttl):
            self._programs.ttl_ms = round(message.ttl_s * 1000)
        elif isinstance(message, control.Rate):
            self._course.set_rate(message.per_s)
        elif isinstance(message, control.Connections) and message.role == self._spec.role:
            share, rest = divmod(message.count, self._spec.processes)
            self._connections = share + (self._spec.process < rest)
            self._deal()

    def _deal(self) -> None:
        """Deal the cars out anew over the number of connections that is wanted now.

        Every operation ends first, and what was built for the next is dropped: no car has two writers at a time.
        """
        reactor = self._reactor
        self._course.halt()
        if reactor.busy():
            self._reactor.after_ns(500_000, self._deal)
            return
        self._course.halted()
        programs = self._programs.deal(self._connections)
        for session in reactor.sessions[len(programs) :]:
            reactor.dismiss(session)
        kept = len(reactor.sessions)
        for session, program in zip(reactor.sessions, programs, strict=False):
            reactor.restart(session, program)
        for program in programs[kept:]:
            self._add_session(program)
        self._flow_when_linked()

    def _flow_when_linked(self) -> None:
        """Go on once the new connections stand, or cannot be opened."""
        if any(not link.failures for link in self._reactor.wiring.unopened()):
            self._reactor.after_ns(1_000_000, self._flow_when_linked)
            return
        self._course.go_on()

    # ---------------------------------------------------------------- trouble

    def _on_redirect(self) -> None:
        self._reactor.redirects += 1

    def _trouble(self) -> str:
        """Why one of the connections that are down does not stand; empty where all do."""
        closed = self._reactor.wiring.closed()
        link = next((link for link in closed if link.refusal), closed[0] if closed else None)
        if link is None:
            return ""
        return f"{self._routes.name(link.address)}: {link.refusal or 'the connection was lost'}"

    def _on_link_trouble(self) -> None:
        self._topologies.refresh()
