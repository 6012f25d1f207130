"""One selector loop that drives every connection of an engine process, in the manner of redis-benchmark and wrk.

It knows nothing of lanes: it sends what programs yield, stamps the replies when it wakes for them, and resumes the
program with each reply once it is complete. Nothing here blocks but the wait for the sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns, thread_time_ns
from typing import Any, cast

from engines.driver.backoff import delay_s
from engines.driver.collector import StatsCollector
from engines.driver.connections import ConnectionManager, ConnectionPlan
from engines.driver.open_loop import ArrivalSchedule, OpenLoopDispatcher
from engines.driver.outcome import Completed, Failed
from engines.driver.poller import READ, WRITE
from engines.driver.session import (
    LARGE_RECEIVE_BYTES,
    CompletedThenNext,
    Connection,
    Program,
    Request,
    Session,
    SessionConnections,
    Step,
)
from engines.driver.timers import NEVER_NS, Timers
from engines.metrics.histogram import Histogram
from engines.wire.dialect import MYSQL, REDIS
from engines.wire.error_kinds import READ_ONLY_KINDS
from engines.wire.reply import INCOMPLETE, ProtocolError

TOLERATED_FAILURES = 5
"""So many failures in a row for want of a connection are followed by no pause: with one shard of three dead, one
operation in 243 fails so often. More of them are no one shard's, and a lane must not fail as fast as it can."""

UNREACHABLE = frozenset(dialect.cannot_connect for dialect in (MYSQL, REDIS))

REPLY_TIMEOUT_NS = 10_000_000_000
"""An operation that takes longer has its connections closed and fails."""

IDLE_POLL_S = 0.25
"""The longest wait for the sockets; timers shorten it."""

NO_WAIT_NS = 50_000
"""A wait for the sockets shorter than this was none: the replies that it found were ready before it began. Looking at
many sockets takes some 10 us."""

CPU_LAG_SAMPLE_NS = 1_000_000
"""The least time between two turns whose processor time is taken: asking for it costs half a microsecond."""


class Reactor:
    """The loop. Set `flowing` to let operations begin; `measured` and `warm` hold what came of them.

    An operation counts as measured only if it began at or after `measure_from_ns`; all others are warm-up.
    """

    def __init__(
        self, plan: ConnectionPlan, on_connection_problem: Callable[[], None] | None = None
    ) -> None:
        self.timers = Timers()
        self.connections = ConnectionManager(plan, self.timers, self._answer, on_connection_problem)
        self.open_loop = OpenLoopDispatcher(self.timers, self._may_begin, self._begin)
        self.measured = StatsCollector()
        self.warm = StatsCollector()
        self.measure_from_ns = NEVER_NS
        self.loop_lag = Histogram()
        """By wake-up: how long its replies may have been ready before the loop noticed them, which is the turn that
        it was away for, and nothing where it was waiting for them."""
        self.cpu_loop_lag = Histogram()
        """The same in processor time, of a sample of the wake-ups: what the loop's own work kept replies waiting,
        without the time for which it had no processor."""
        self._ended: list[Session] = []
        """The sessions that have ended an operation and whose next one is still to be made up: one a turn, so that the
        sockets are looked at in between."""
        self.redirects = 0
        self.issuing = False
        self.running = True
        self.sessions: list[Session] = []
        self._watched: dict[int, Callable[[], None]] = {}
        job_runner = self.connections.job_runner
        self.watch(job_runner.wake.fileno(), job_runner.deliver)

    # ---------------------------------------------------------------- the loop

    def run(self) -> None:
        """Turn until `running` is cleared."""
        connections, timers, ended, open_loop = (
            self.connections,
            self.timers,
            self._ended,
            self.open_loop,
        )
        open_by_descriptor, on_broken = connections.open_by_descriptor, connections.on_broken
        poll_ms, poll_us = connections.poller.poll, connections.poller.poll_precisely
        lag, cpu_loop_lag = self.loop_lag.record, self.cpu_loop_lag.record
        clock, cpu_clock = perf_counter_ns, thread_time_ns
        now_ns = woke_ns = cpu_sampled_ns = clock()
        began_ns, cpu_ns = 0, -1
        watched_ready: list[int] = []
        service_ns: list[int] = []
        outcomes: list[Completed] = []
        while self.running:
            wait_s = 0.0 if ended else (timers.next_ns - now_ns) / 1e9
            poll = poll_ms if open_loop.arrivals is None else poll_us
            events = poll(0 if wait_s <= 0 else wait_s if wait_s < IDLE_POLL_S else IDLE_POLL_S)
            before_ns, woke_ns = woke_ns, clock()
            since_poll_ns = now_ns - before_ns
            if events:
                was_ready = woke_ns - now_ns < NO_WAIT_NS
                lag(since_poll_ns if was_ready else 0)
                if cpu_ns >= 0:
                    cpu_loop_lag(cpu_ns if was_ready else 0)
            sampling = woke_ns - cpu_sampled_ns > CPU_LAG_SAMPLE_NS
            if sampling:
                began_ns, cpu_sampled_ns = cpu_clock(), woke_ns
            closed = self.issuing and open_loop.arrivals is None
            measure_from_ns = self.measure_from_ns
            for descriptor, event in events:
                connection = open_by_descriptor.get(descriptor)
                if connection is None:
                    watched_ready.append(descriptor)
                    continue
                if event != READ and event & WRITE:
                    connections.flush(connection)
                    if event == WRITE:
                        continue
                # What a slot holds is taken out before it is called: as a method it would be looked up in the class
                # first, each time (CPython 3.11 specializes LOAD_ATTR for slots, LOAD_METHOD not).
                receive, receive_bytes = connection.receive, connection.receive_bytes
                try:
                    data = receive(receive_bytes)
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    data = b""
                wanted = connection.wanted
                if not wanted or not data:
                    on_broken(connection, woke_ns)
                    continue
                try:
                    if wanted == 1:
                        feed_one = connection.feed_one
                        answer = feed_one(data)
                    else:
                        answer = connection.parser.feed_many(data, wanted)
                except ProtocolError:
                    on_broken(connection, woke_ns)
                    continue
                if answer is INCOMPLETE:
                    if len(data) == receive_bytes:
                        connection.receive_bytes = LARGE_RECEIVE_BYTES
                    continue
                connection.wanted = 0
                connection.answered += wanted
                session = connection.session
                if session.answers is None:
                    resume = session.resume
                    step = resume(answer)
                    if closed and step.__class__ is tuple and len(step) == 4:
                        # `_go_on`, written out: its calls would be felt for every operation.
                        if session.began_ns >= measure_from_ns:
                            session.failures = 0
                            service_ns.append(woke_ns - session.began_ns)
                            outcomes.append(step[3])
                        else:
                            self._end(session, step[3], woke_ns)
                        step[0].outbox.append(step)
                    else:
                        self._step(session, step, woke_ns)
                else:
                    self._gather(session, connection, answer, woke_ns)
            if closed:
                self._send_next()
            # While the servers are at work already.
            if service_ns:
                self.measured.add(service_ns, outcomes)
                service_ns.clear()
                outcomes.clear()
            if ended:
                self._next_operation(ended.pop(0))
            if watched_ready:
                for descriptor in watched_ready:
                    self._call_watcher(descriptor)
                watched_ready.clear()
            now_ns = clock()
            if now_ns >= timers.next_ns:
                timers.run(now_ns)
                now_ns = clock()
            cpu_ns = cpu_clock() - began_ns if sampling else -1

    def _send_next(self) -> None:
        """Send the first requests of the operations that follow the ones that have just ended.

        After all replies at hand, and server by server: one that has gone to sleep is then woken once for several
        requests, not once for each.
        """
        connections, clock = self.connections, perf_counter_ns
        for outbox in connections.outboxes.values():
            for connection, request, wanted, _ in outbox:
                session = connection.session
                # `Wiring.send`, written out: a call more for every operation would be felt.
                if connection.socket is None:
                    session.began_ns = clock()
                    connections.send(connection, request, wanted)
                    continue
                connection.wanted = wanted
                send = connection.send
                session.began_ns = clock()
                try:
                    sent = send(request)
                except (BlockingIOError, InterruptedError):
                    sent = 0
                except OSError:
                    connections.on_send_failed(connection)
                    continue
                if sent != len(request):
                    connections.keep_unsent(connection, request, sent)
            outbox.clear()

    def _call_watcher(self, descriptor: int) -> None:
        """Something watched has something to read. After all replies: what comes of it may stop or close anything."""
        watcher = self._watched.get(descriptor)
        if watcher is not None:
            watcher()

    def _next_operation(self, session: Session) -> None:
        """The next operation of a session that has ended one."""
        self._set_next(session, session.resume(None))
        if self.issuing:
            self.begin(session)

    def _step(self, session: Session, step: Step, now_ns: int) -> None:
        """Do what a program yielded when it was resumed with replies that arrived at `now_ns`."""
        kind = step.__class__
        if kind is tuple and len(cast("Request | CompletedThenNext", step)) == 4:
            self._complete_and_continue(session, cast("CompletedThenNext", step), now_ns)
        elif kind is tuple:
            connection, request, wanted = cast("Request", step)
            session.answers = None
            self.connections.send(connection, request, wanted)
        elif kind is list:
            self._fan_out(session, cast("list[Request]", step))
        elif kind is Completed:
            self._end(session, cast("Completed", step), now_ns)
            self._ended.append(session)
        else:
            self._fail(session, cast("Failed", step).kind, now_ns)

    def _fan_out(self, session: Session, requests: list[Request]) -> None:
        session.waiting = len(requests)
        session.answers = [connection for connection, _, _ in requests]
        for connection, request, wanted in requests:
            self.connections.send(connection, request, wanted)

    def _gather(self, session: Session, connection: Connection, answer: Any, now_ns: int) -> None:
        answers = session.answers
        assert answers is not None
        answers[answers.index(connection)] = answer
        session.waiting -= 1
        if not session.waiting:
            self._step(session, session.resume(answers), now_ns)

    def _answer(self, connection: Connection, answer: Any, now_ns: int) -> None:
        session = connection.session
        if session.answers is None:
            self._step(session, session.resume(answer), now_ns)
        else:
            self._gather(session, connection, answer, now_ns)

    # ---------------------------------------------------------------- operations

    def begin(self, session: Session) -> None:
        """Let a session that holds between two operations begin the next, or, in an open loop, wait for it."""
        if self.open_loop.arrivals is None:
            self._begin(session)
        else:
            self.open_loop.wait(session)

    def _may_begin(self, session: Session) -> bool:
        return self.issuing and session.first is not None

    def _begin(self, session: Session) -> None:
        step, session.first = session.first, None
        assert step is not None
        session.in_operation = True
        now_ns = perf_counter_ns()
        session.began_ns = now_ns
        self._step(session, step, now_ns)

    def begin_all(self) -> None:
        """Let operations flow in every session."""
        self.issuing = True
        for session in tuple(self.sessions):
            if session.first is not None:
                self.begin(session)

    def set_arrivals(self, arrivals: ArrivalSchedule | None) -> None:
        """Race in an open loop from now on, or (None) in a closed one. What was due before is forgotten."""
        for session in self.open_loop.set_arrivals(arrivals, self.sessions):
            if self._may_begin(session):
                self.begin(session)

    def _set_next(self, session: Session, first: Step) -> None:
        session.first = first
        session.in_operation = False

    def _collector_of(self, session: Session) -> StatsCollector:
        return self.measured if session.began_ns >= self.measure_from_ns else self.warm

    def _complete_and_continue(
        self, session: Session, step: CompletedThenNext, now_ns: int
    ) -> None:
        """An operation is acknowledged, and the next one is made up already."""
        connection, request, wanted, outcome = step
        self._end(session, outcome, now_ns)
        self._set_next(session, (connection, request, wanted))
        if self.issuing:
            self.begin(session)

    def _end(self, session: Session, outcome: Completed, now_ns: int) -> None:
        """An operation is acknowledged: count it."""
        session.failures = 0
        collector = self._collector_of(session)
        collector.service.record(now_ns - session.began_ns)
        collector.outcomes[outcome] = collector.outcomes.get(outcome, 0) + 1
        if session.due_ns:
            collector.response.record(now_ns - session.due_ns)

    def _fail(self, session: Session, kind: str, now_ns: int) -> None:
        collector = self._collector_of(session)
        collector.failures.record(now_ns - session.began_ns)
        collector.count_failure(kind)
        session.failures += 1
        self._set_next(session, session.resume(None))
        if kind in READ_ONLY_KINDS:
            for connection in tuple(session.connections.values()):
                self.connections.close(connection)
        # Who meets a node that is down goes on with the others, unless it meets nothing else.
        tolerated = TOLERATED_FAILURES if kind in UNREACHABLE else 0
        in_a_row = session.failures - tolerated
        pause_ns = int(delay_s(in_a_row) * 1e9) if in_a_row > 0 else 0

        def retry() -> None:
            if self._may_begin(session):
                self.begin(session)

        self.timers.at(now_ns + pause_ns, retry)

    def busy(self) -> int:
        """How many sessions are in an operation."""
        return sum(session.in_operation for session in self.sessions)

    def fail_in_flight(self, kind: str, *, final: bool = False) -> None:
        """Count every operation that is still under way as failed with `kind`, without waiting for it.

        Its session holds afterwards, ready for another; the connections on which it waits for a reply are closed, or
        that would be taken for the reply to the next request. Neither where all ends `for_good`.
        """
        while self._ended:
            self._next_operation(self._ended.pop(0))
        now_ns = perf_counter_ns()
        for session in self.sessions:
            if session.in_operation:
                collector = self._collector_of(session)
                collector.failures.record(now_ns - session.began_ns)
                collector.count_failure(kind)
                session.in_operation = False
                if not final:
                    self._abandon_operation(session)

    def _abandon_operation(self, session: Session) -> None:
        """Forget the operation that a session is in."""
        for connection in tuple(session.connections.values()):
            connection.request = None
            if connection.wanted:
                self.connections.close(connection)
        self.restart(session, session.program)

    def time_out(self, now_ns: int) -> None:
        """Close the connections of the operations that have waited too long for a reply."""
        for session in tuple(self.sessions):
            if session.in_operation and now_ns - session.began_ns > REPLY_TIMEOUT_NS:
                for connection in tuple(session.connections.values()):
                    if connection.wanted:
                        self.connections.on_broken(connection, now_ns, connection.dialect.timed_out)

    # ---------------------------------------------------------------- sessions

    def add(self, program: Callable[[Session], Program]) -> Session:
        """A new session that runs `program`; it begins when `begin` says so."""
        session = Session()
        session.connections = SessionConnections(
            lambda address: self.connections.connection(session, address)
        )
        self.restart(session, program)
        self.sessions.append(session)
        return session

    def restart(self, session: Session, program: Callable[[Session], Program]) -> None:
        """Run `program` in a session that holds between two operations, over the links that it has."""
        session.program = program
        generator = program(session)
        session.resume = generator.send
        session.first = next(generator)

    def remove(self, session: Session) -> None:
        """End a session that holds between two operations, and close its connections."""
        session.first = None
        self.sessions.remove(session)
        for connection in tuple(session.connections.values()):
            self.connections.remove(connection)

    # ---------------------------------------------------------------- what else the loop does

    def after_ns(self, delay_ns: int, callback: Callable[[], None]) -> None:
        """Call `callback` once `delay_ns` have passed."""
        self.timers.at(perf_counter_ns() + delay_ns, callback)

    def watch(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Call `readable` whenever `descriptor` has something to read."""
        self._watched[descriptor] = readable
        self.connections.poller.register(descriptor, READ)

    def close(self) -> None:
        """Close every connection."""
        self.connections.close_all()
