"""An engine process: one role of one lane, its reactor, its counters, and the channel to the race.

Started by `engines.race` with the number of an inherited socket as its argument. It ends when told to, and at once
when the race is gone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter_ns

from engines import control
from engines.channel import Channel
from engines.floor import measure_floor_us
from engines.interval import Schedule
from engines.link import REDIS
from engines.message import (
    Acknowledged,
    Begin,
    Floor,
    Go,
    MeasureFloor,
    NotReady,
    Ready,
    Rested,
    Served,
    Spec,
    Stop,
)
from engines.meter import Meter
from engines.pacing import Pace
from engines.programs import Programs
from engines.reactor import Reactor
from engines.routes import Routes
from engines.session import Program, Session
from engines.shard import Shard, merged
from engines.timers import NEVER_NS
from engines.topologies import Topologies

DRAIN_NS = 2_000_000_000
"""How long operations under way may take after the end before they are counted as unfinished."""

NOT_READY_EVERY_NS = 1_000_000_000
"""How often an engine whose connections do not stand says why."""

SWITCH_INTERVAL_S = 0.0002
"""Python's default lets a connecting thread keep the loop from the interpreter for 5 ms at a time."""


class Worker:
    """Wires a lane's programs to a reactor, and the reactor to the channel."""

    def __init__(self, channel: Channel, spec: Spec, early: Sequence[object] = ()) -> None:
        """`early` holds the messages that came with the spec."""
        self._early = early
        self._channel = channel
        self._spec = spec
        self._routes = Routes(spec)
        self._reactor = Reactor(self._routes, self._on_link_trouble)
        self._reactor.apart = spec.role == "write"
        self._programs = Programs(spec, lambda: self._reactor.flowing, self._on_redirect)
        self._topologies = Topologies(spec, self._reactor)
        self._meter = Meter(self._reactor)
        self._rate_per_s = spec.rate_per_s
        self._schedule: Schedule | None = None
        self._index = 0
        self._undone = 0
        """The backlog that the end, of the race or of a heat, has left."""
        self._complained_ns = 0
        """When it was last said why the engine is not ready."""
        self._dealt_from_ns: int | None = None
        """Since when operations wait for the cars to be dealt out anew."""
        self._connections = spec.connections
        self._started = False
        self._held = False
        self._resting = False
        """Whether a heat is over and its last operations are not."""
        self._paused = False
        self._stopping = False

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
        unopened = self._reactor.unopened_links()
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
            if isinstance(message, Go):
                self._go(message)
            elif isinstance(message, MeasureFloor):
                floor_us = measure_floor_us(self._spec, message.mysql_port, message.redis_port)
                self._channel.send(Floor(floor_us))
            elif isinstance(message, Begin):
                self._reactor.timers.at(message.at_ns, partial(self._begin, message))
            elif isinstance(message, Stop):
                self._stop()
            else:
                self._obey(message)

    def _go(self, go: Go) -> None:
        schedule = self._schedule = go.schedule
        self._reactor.measure_from_ns = NEVER_NS if go.held else schedule.measure_from_ns
        self._reactor.timers.at(schedule.start_ns, self._start)
        if go.held:
            self._reactor.timers.at(schedule.measure_from_ns, self._hold)
        if schedule.stop_ns is not None:
            self._reactor.timers.at(schedule.stop_ns, self._stop)

    def _hold(self) -> None:
        """Wait at the start line, warm."""
        self._held = True
        self._reactor.flowing = False

    def _begin(self, begin: Begin) -> None:
        """Leave the start line."""
        self._held = False
        self._reactor.measure_from_ns = begin.measure_from_ns
        # The time at the start line is no part of the interval.
        self._meter.begin(begin.at_ns)
        if self._rate_per_s is not None:
            self._pace_from(begin.at_ns, begin.measure_from_ns)
        if begin.stop_ns is not None:
            self._reactor.timers.at(begin.stop_ns, self._stop if begin.final else self._rest)
        self._flow()

    def _rest(self) -> None:
        """Go back to the start line, once the operations under way are over."""
        self._resting = True
        self._undone = self._reactor.backlog()
        self._reactor.flowing = False

        def rested() -> None:
            self._send_delta(perf_counter_ns())
            self._held, self._resting = True, False
            self._undone = 0
            self._channel.send(Rested())

        self._drain(rested)

    def _start(self) -> None:
        assert self._schedule is not None
        self._meter.begin_race(self._schedule.start_ns)
        if self._rate_per_s is not None:
            self._pace_from(self._schedule.start_ns, self._schedule.measure_from_ns)
        self._next_interval()
        self._started = True
        self._flow()

    def _next_interval(self) -> None:
        assert self._schedule is not None
        self._reactor.timers.at(self._schedule.end_ns(self._index), self._end_interval)

    def _end_interval(self) -> None:
        now_ns = perf_counter_ns()
        schedule = self._schedule
        assert schedule is not None
        self._reactor.time_out(now_ns)
        self._channel.flush()
        draining = self._stopping or (
            schedule.stop_ns is not None and schedule.end_ns(self._index) >= schedule.stop_ns
        )
        if draining:
            return
        if self._channel.clear:
            self._send_delta(now_ns)
        while schedule.end_ns(self._index) <= now_ns:
            self._index += 1
        self._next_interval()

    def _send_delta(self, now_ns: int, *, last: bool = False) -> None:
        self._channel.send(
            self._meter.delta(
                self._index,
                now_ns,
                trouble=self._trouble(),
                paused=self._paused,
                held=self._held,
                undone=self._undone,
                last=last,
            )
        )

    # ---------------------------------------------------------------- the end

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._undone = self._reactor.backlog()
        self._reactor.flowing = False
        self._drain(self._finish)

    def _drain(self, drained: Callable[[], None]) -> None:
        """Wait for the operations under way, for a while, and count those that do not end as unfinished."""
        deadline_ns = perf_counter_ns() + DRAIN_NS

        def drain() -> None:
            if self._reactor.busy() and perf_counter_ns() < deadline_ns:
                self._reactor.after_ns(1_000_000, drain)
                return
            self._reactor.give_up("unfinished", for_good=self._stopping)
            drained()

        drain()

    def _finish(self) -> None:
        if self._programs.ledger is not None:
            self._channel.send(Acknowledged(self._programs.ledger))
        self._channel.send(Served(self._served()))
        self._send_delta(perf_counter_ns(), last=True)
        self._leave()

    def _served(self) -> dict[str, Shard]:
        """What each Redis node answered. Writers send it nothing but SETs, readers GETs and what they fill."""
        writes = self._spec.role == "write"
        return merged(
            {
                link.address: Shard(
                    sets=link.answered if writes else link.fills,
                    gets=0 if writes else link.answered - link.fills,
                    misses=link.misses,
                )
            }
            for link in self._reactor.all_links()
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
            self._paused = True
            self._reactor.flowing = False
        elif isinstance(message, control.Resume):
            self._paused = False
            if self._rate_per_s is not None:
                self._pace(perf_counter_ns())  # A pause is the user's, not a stall of the servers.
            self._flow()
        elif isinstance(message, control.Batch):
            self._programs.set_batch(message.rows)
        elif isinstance(message, control.Ttl):
            self._programs.ttl_ms = round(message.ttl_s * 1000)
        elif isinstance(message, control.Rate):
            self._rate_per_s = message.per_s
            self._pace(perf_counter_ns())
        elif isinstance(message, control.Connections) and message.role == self._spec.role:
            share, rest = divmod(message.count, self._spec.processes)
            self._connections = share + (self._spec.process < rest)
            self._deal()

    def _deal(self) -> None:
        """Deal the cars out anew over the number of connections that is wanted now.

        Every operation ends first, and what was built for the next is dropped: no car has two writers at a time.
        """
        reactor = self._reactor
        if reactor.flowing:
            self._dealt_from_ns = perf_counter_ns()
        reactor.flowing = False
        if reactor.busy():
            self._reactor.after_ns(500_000, self._deal)
            return
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
        if any(not link.failures for link in self._reactor.unopened_links()):
            self._reactor.after_ns(1_000_000, self._flow_when_linked)
            return
        pace, from_ns = self._reactor.pace, self._dealt_from_ns
        if pace is not None and from_ns is not None:
            pace.postpone(from_ns, perf_counter_ns())  # The servers have not kept anybody waiting.
        self._dealt_from_ns = None
        self._flow()

    def _pace_from(self, start_ns: int, measure_from_ns: int) -> None:
        """Follow the rate through a warm-up and begin anew where measuring does: what the warm-up could not do in
        time must not be counted as late in what is measured."""
        self._pace(start_ns)
        if measure_from_ns > start_ns:
            self._reactor.timers.at(measure_from_ns, lambda: self._pace(measure_from_ns))

    def _pace(self, from_ns: int) -> None:
        """Follow the rate that is wanted now, with the first operation due at `from_ns`."""
        rate = self._rate_per_s
        spec = self._spec
        self._reactor.set_pace(
            None if rate is None else Pace(rate, from_ns, spec.process, spec.processes)
        )

    def _flow(self) -> None:
        """Let operations begin, if the race is on."""
        if self._started and not (self._stopping or self._paused or self._held or self._resting):
            self._reactor.begin_all()

    # ---------------------------------------------------------------- trouble

    def _on_redirect(self) -> None:
        self._reactor.redirects += 1

    def _trouble(self) -> str:
        """Why one of the links that are down does not stand; empty where that is not known."""
        for link in self._reactor.closed_links():
            if link.refusal:
                return f"{self._routes.name(link.address)}: {link.refusal}"
        return self._topologies.trouble

    def _on_link_trouble(self) -> None:
        self._topologies.refresh()


def main(descriptor: int) -> None:
    """Run the engine whose channel is the inherited socket `descriptor`."""
    # The terminal's Ctrl-C is for the race, which then stops its engines in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(True)
    channel = Channel(sock)
    messages = _first_messages(channel)
    if messages:
        spec, *early = messages
        assert isinstance(spec, Spec)
        Worker(channel, spec, early).run()


def _first_messages(channel: Channel) -> list[object]:
    """The spec, waited for, and what came with it; none when the race went away first."""
    import select

    while not channel.closed:
        select.select([channel.fileno()], [], [])
        messages = channel.receive()
        if messages:
            return messages
    return []


if __name__ == "__main__":
    main(int(sys.argv[1]))
