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
from time import perf_counter_ns, process_time_ns

from engines import control
from engines.channel import Channel
from engines.endpoint import MySQLEndpoint, RedisEndpoint
from engines.floor import measure_floor_us
from engines.interval import Schedule
from engines.lanes import MYSQL
from engines.link import MYSQL as MYSQL_DIALECT
from engines.link import REDIS as REDIS_DIALECT
from engines.link import Dialect, Link
from engines.message import (
    Acknowledged,
    Begin,
    Delta,
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
from engines.pacing import Pace
from engines.programs import Programs
from engines.reactor import Reactor
from engines.session import Program, Session
from engines.shard import Shard, merged
from engines.timers import NEVER_NS
from engines.topology import SlotRange, Topology

DRAIN_NS = 2_000_000_000
"""How long operations under way may take after the end before they are counted as unfinished."""

REFRESH_EVERY_NS = 100_000_000
"""The least time between two questions for the topology."""

TOPOLOGY = "topology"
"""What a connector's threads for such a question are about: it does not wait for connections."""

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
        self._reactor = Reactor(self._plan, self._on_link_trouble)
        self._reactor.apart = spec.role == "write"
        self._programs = Programs(spec, lambda: self._reactor.flowing, self._on_redirect)
        self._rate_per_s = spec.rate_per_s
        self._schedule: Schedule | None = None
        self._index = 0
        self._cut_ns = 0
        self._cut_cpu_ns = 0
        self._redirects = 0
        self._late = 0
        self._undone = 0
        self._reconnects = 0
        self._topology_trouble = ""
        """Why the cluster could not be asked."""
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
        self._refreshed_ns = 0
        self._refreshing = False

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
        endpoint = self._spec.endpoints.redis
        if endpoint is None or (self._spec.role == "write" and self._spec.lane == "cached"):
            self._open_sessions(None)
            return

        def failed(error: Exception) -> None:
            self._channel.send(NotReady(f"{endpoint.host}:{endpoint.port}", str(error)))
            self._reactor.after_ns(NOT_READY_EVERY_NS // 4, self._discover)

        self._reactor.connector.submit(
            TOPOLOGY, lambda: _fetch_topology(endpoint, ()), self._open_sessions, failed
        )

    def _open_sessions(self, ranges: list[SlotRange] | None) -> None:
        if ranges is not None:
            self._programs.topologies = [
                Topology(ranges, self._refresh_topology, replica)
                for replica in self._replicas(ranges)
            ]
        for program in self._programs.deal(self._spec.connections):
            self._add_session(program)
        self._await_links()

    def _replicas(self, ranges: list[SlotRange]) -> list[int | None]:
        """The numbers of the replicas that are read from, the same for each primary; None for the primaries."""
        endpoint = self._spec.endpoints.redis
        if endpoint is None or not endpoint.read_replicas or self._spec.role == "write":
            return [None]
        return list(range(max(1, *(len(part.replicas) for part in ranges), 1)))

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
            self._channel.send(NotReady(self._name(refused), refused.refusal))
        self._reactor.after_ns(2_000_000, self._await_links)

    def _plan(self, address: str) -> tuple[Dialect, Callable[[], socket.socket]]:
        """How to open a connection to `address`."""
        endpoints = self._spec.endpoints
        if address == MYSQL:
            mysql = endpoints.mysql
            assert mysql is not None
            # On the slide a batch ends with a commit of its own; elsewhere the one statement of a batch commits itself.
            autocommit = not (self._spec.preset == "deck" and self._spec.role == "write")
            return MYSQL_DIALECT, lambda: _open_mysql(mysql, autocommit)
        redis = endpoints.redis
        assert redis is not None
        return REDIS_DIALECT, lambda: _open_redis(address, redis)

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
        self._cut_ns, self._cut_cpu_ns = begin.at_ns, process_time_ns()
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
        self._cut_ns = self._schedule.start_ns
        self._cut_cpu_ns = process_time_ns()
        self._reactor.loop_lag.take()
        self._reactor.own_lag.take()
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
        reactor = self._reactor
        cpu_ns = process_time_ns()
        closed = reactor.closed_links()
        # Who was told to stop before the start has done nothing for any time.
        taken_ns = max(1, now_ns - self._cut_ns) if self._started else 1
        # An interval in which measuring began is in part warm-up; time at the start line is neither.
        measured_ns = (
            0 if self._held else max(0, now_ns - max(self._cut_ns, reactor.measure_from_ns))
        )
        warm_ns = 0 if self._held else taken_ns - measured_ns
        paced = reactor.pace is not None
        self._channel.send(
            Delta(
                index=self._index,
                ended_ns=now_ns,
                measured=reactor.measured.take(measured_ns / 1e9, paced=paced),
                warm=reactor.warm.take(warm_ns / 1e9, paced=paced),
                cpu_share=(cpu_ns - self._cut_cpu_ns) / taken_ns,
                loop_lag=reactor.loop_lag.take(),
                own_lag=reactor.own_lag.take(),
                redirects=reactor.redirects - self._redirects,
                reconnects=reactor.reconnects - self._reconnects,
                closed_links=len(closed),
                trouble=self._trouble(closed),
                paused=self._paused,
                held=self._held,
                # Nothing is due after the end, but what was due and never began does not go away.
                backlog=self._undone or reactor.backlog(),
                late=reactor.late - self._late,
                last=last,
            )
        )
        self._cut_ns, self._cut_cpu_ns = now_ns, cpu_ns
        self._redirects, self._reconnects = reactor.redirects, reactor.reconnects
        self._late = reactor.late

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
            if link.dialect is REDIS_DIALECT
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

    def _name(self, link: Link) -> str:
        """The server of a link, as its user knows it."""
        mysql = self._spec.endpoints.mysql
        if link.address == MYSQL and mysql is not None:
            return f"{mysql.host}:{mysql.port}"
        return link.address

    def _trouble(self, closed: list[Link]) -> str:
        """Why one of the links that are down does not stand; empty where that is not known."""
        for link in closed:
            if link.refusal:
                return f"{self._name(link)}: {link.refusal}"
        return self._topology_trouble

    def _on_link_trouble(self) -> None:
        if self._programs.topologies:
            self._refresh_topology()

    def _refresh_topology(self) -> None:
        """Ask the cluster again, in the background, at most once per `REFRESH_EVERY_NS`."""
        endpoint, topologies = self._spec.endpoints.redis, self._programs.topologies
        if endpoint is None or not topologies or endpoint.cluster is False or self._refreshing:
            return
        self._refreshing = True

        def fetched(ranges: list[SlotRange]) -> None:
            self._refreshing = False
            self._topology_trouble = ""
            for topology in topologies:
                topology.update(ranges)
            needed = {address for topology in topologies for address in topology.addresses()}
            for session in tuple(self._reactor.sessions):
                for link in tuple(session.links.values()):
                    if link.dialect is REDIS_DIALECT and link.address not in needed:
                        self._reactor.drop(link)

        def failed(error: Exception) -> None:
            self._refreshing = False
            self._topology_trouble = str(error)

        def ask() -> None:
            self._refreshed_ns = perf_counter_ns()
            known = self._nodes_to_ask()
            self._reactor.connector.submit(
                TOPOLOGY, lambda: _fetch_topology(endpoint, known), fetched, failed
            )

        due_ns = self._refreshed_ns + REFRESH_EVERY_NS
        if perf_counter_ns() >= due_ns:
            ask()
        else:
            self._reactor.timers.at(due_ns, ask)

    def _nodes_to_ask(self) -> list[str]:
        """The nodes of the cluster; first those that answer: one that is gone may take seconds to say so."""
        links = [link for session in self._reactor.sessions for link in session.links.values()]
        standing = {link.address for link in links if link.socket is not None}
        known = {address for each in self._programs.topologies for address in each.addresses()}
        return sorted(known, key=lambda address: (address not in standing, address))


# The client libraries are imported on first use: an engine that never speaks to Redis does without 20 MB of it.


def _open_mysql(endpoint: MySQLEndpoint, autocommit: bool) -> socket.socket:
    from engines.servers.mysql import open_socket, said

    try:
        return open_socket(endpoint, autocommit=autocommit)
    except Exception as error:
        raise ConnectionError(said(error)) from error


def _open_redis(address: str, endpoint: RedisEndpoint) -> socket.socket:
    from engines.servers.redis import open_socket

    return open_socket(address, endpoint)


def _fetch_topology(endpoint: RedisEndpoint, known: list[str] | tuple[str, ...]) -> list[SlotRange]:
    from engines.servers.redis import topology

    return topology(endpoint, known)


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
