"""Selector loop that drives every connection of an engine process, as redis-benchmark and wrk do.

The reactor knows no lanes. It sends the requests that programs yield, takes the arrival time of replies when `poll`
returns, and resumes a program once its reply is complete. Nothing here blocks except the wait for the sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns, thread_time_ns
from typing import Any, cast

from engines.driver.backoff import delay_s
from engines.driver.collector import StatsCollector
from engines.driver.connections import ConnectionManager, ConnectionPlan, ProcessCount
from engines.driver.open_loop import ArrivalSchedule, OpenLoopDispatcher
from engines.driver.outcome import Completed, Failed
from engines.driver.poller import READ, WRITE
from engines.driver.session import (
    LARGE_RECEIVE_BYTES,
    Awaiting,
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
"""A session that fails this many times in a row for lack of a connection retries without a pause. With one of three
shards down, one operation in 243 fails five times in a row by chance, because its keys belong to that shard. More
failures have another cause, and the pause keeps the lane from failing as fast as it can loop."""

UNREACHABLE = frozenset(dialect.cannot_connect for dialect in (MYSQL, REDIS))
"""Error kinds of connections that could not be opened. Only these are tolerated without a pause."""

REPLY_TIMEOUT_NS = 10_000_000_000
"""An operation that takes longer than this fails, and its connections are closed."""

UNASKED = ProtocolError("no request was in flight")
"""What is wrong with bytes that come over an idle connection."""

IDLE_POLL_S = 0.25
"""Upper limit of one wait for the sockets, in seconds; timers shorten it."""

NO_WAIT_NS = 50_000
"""If `poll` returns within this time, its replies were already queued, and the time since the last `poll` counts as
loop lag.

Performance: polling many sockets takes about 10 us.
"""

CPU_LAG_SAMPLE_NS = 1_000_000
"""Minimum interval between two samples of the CPU-only loop lag.

Performance: reading the thread's CPU time takes 0.5 us.
"""


class Reactor:
    """Event loop of one engine process, with its sessions and their statistics.

    Operations start only while `issuing` is set. `measured` holds the statistics of operations that began at or after
    `measure_from_ns`; `warm` holds those of all earlier operations (warm-up).
    """

    def __init__(
        self,
        plan: ConnectionPlan,
        on_connection_problem: Callable[[], None] | None = None,
        processes: ProcessCount = lambda _: 1,
    ) -> None:
        """Create a reactor without sessions. `processes` is that of the ConnectionManager."""
        self.timers = Timers()
        self.connections = ConnectionManager(
            plan, self.timers, self._answer, on_connection_problem, processes
        )
        self.open_loop = OpenLoopDispatcher(self.timers, self._may_begin, self._begin)
        self.measured = StatsCollector()
        self.warm = StatsCollector()
        self.measure_from_ns = NEVER_NS
        self.loop_lag = Histogram()
        """One value per wake-up that found events: how long the replies may have waited before the loop noticed them.
        This is the time since the previous `poll` returned if the replies were queued already, and 0 if the loop
        waited for them."""
        self.cpu_loop_lag = Histogram()
        """CPU-only loop lag: the same in CPU time of this thread, sampled. It is the delay caused by the loop's own
        work, without scheduling delay."""
        self._ended: list[Session] = []
        """Sessions that completed an operation and whose next operation is not built yet. The loop builds one per
        iteration, so that it polls the sockets in between."""
        self.redirects = 0
        self.issuing = False
        self.running = True
        self.sessions: list[Session] = []
        self._watched: dict[int, Callable[[], None]] = {}
        job_runner = self.connections.job_runner
        self.watch(job_runner.wake.fileno(), job_runner.deliver)

    # ---------------------------------------------------------------- the loop

    def run(self) -> None:
        """Run the loop until `running` is cleared; blocks until then."""
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
                # Performance: `receive` is bound to a local before the call. CPython 3.11
                # specializes LOAD_ATTR for slots but not LOAD_METHOD, so a direct call would search
                # the class first, each time.
                receive, receive_bytes = connection.receive, connection.receive_bytes
                try:
                    data = receive(receive_bytes)
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    data = b""
                wanted = connection.wanted
                if not wanted or not data:
                    if data:
                        connections.on_violation(connection, woke_ns, data, UNASKED)
                    else:
                        on_broken(connection, woke_ns)
                    continue
                try:
                    if wanted == 1:
                        feed_one = connection.feed_one
                        answer = feed_one(data)
                    else:
                        answer = connection.parser.feed_many(data, wanted)
                except ProtocolError as error:
                    connections.on_violation(connection, woke_ns, data, error)
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
                        # Performance: `_complete_and_continue` and the calls that follow it,
                        # inlined for the closed loop. It saves about 2 us per operation, of about
                        # 3.5 us (timeit, CPython 3.11, one reply per wake-up). Keep both versions
                        # equal: tests/unit/driver/test_inlined_code.py compares them.
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
            # The servers work on the new requests meanwhile.
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
        """Send the first requests of the operations that follow those just completed.

        This happens after all replies at hand are processed, and server by server. A server that went to sleep is then
        woken once for several requests instead of once per request.
        """
        connections, clock = self.connections, perf_counter_ns
        for outbox in connections.outboxes.values():
            for connection, request, wanted, _ in outbox:
                session = connection.session
                # Performance: `ConnectionManager.send` inlined. It saves one call, about 60 ns per
                # operation (timeit, CPython 3.11). Keep both versions equal:
                # tests/unit/driver/test_inlined_code.py compares them.
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
        """Call the function that watches `descriptor`, if there still is one.

        The loop calls this after it has processed all replies, because a watcher may close any connection or stop the
        loop.
        """
        watcher = self._watched.get(descriptor)
        if watcher is not None:
            watcher()

    def _next_operation(self, session: Session) -> None:
        """Build the next operation of a session that completed one, and start it if operations are issued."""
        self._set_next(session, session.resume(None))
        if self.issuing:
            self.begin(session)

    def _step(self, session: Session, step: Step, now_ns: int) -> None:
        """Execute the step that a program yielded after the replies that arrived at `now_ns`."""
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
        elif kind is Awaiting:
            self._wait(session, cast("Awaiting", step))
        else:
            self._fail(session, cast("Failed", step).kind, now_ns)

    def _wait(self, session: Session, step: Awaiting) -> None:
        """Leave the operation of `session` in flight until what it waits for has come."""
        session.answers = None
        resume = session.resume

        def proceed() -> None:
            # If the program was restarted meanwhile, the new one waits for nothing.
            if session.resume is resume:
                self._step(session, resume(None), perf_counter_ns())

        step.until(proceed)

    def _fan_out(self, session: Session, requests: list[Request]) -> None:
        """Send several requests of one session over different connections."""
        session.waiting = len(requests)
        session.answers = [connection for connection, _, _ in requests]
        for connection, request, wanted in requests:
            self.connections.send(connection, request, wanted)

    def _gather(self, session: Session, connection: Connection, answer: Any, now_ns: int) -> None:
        """Store the answer to one request of a fan-out; resume the program when all answers are in."""
        answers = session.answers
        assert answers is not None
        answers[answers.index(connection)] = answer
        session.waiting -= 1
        if not session.waiting:
            self._step(session, session.resume(answers), now_ns)

    def _answer(self, connection: Connection, answer: Any, now_ns: int) -> None:
        """Resume the program of `connection` with an answer that did not come from its socket."""
        session = connection.session
        if session.answers is None:
            self._step(session, session.resume(answer), now_ns)
        else:
            self._gather(session, connection, answer, now_ns)

    # ---------------------------------------------------------------- operations

    def begin(self, session: Session) -> None:
        """Start the next operation of an idle session; in an open loop, once an operation is due."""
        if self.open_loop.arrivals is None:
            self._begin(session)
        else:
            self.open_loop.wait(session)

    def _may_begin(self, session: Session) -> bool:
        """Return whether operations are issued and `session` is idle with an operation built."""
        return self.issuing and session.first is not None

    def _begin(self, session: Session) -> None:
        """Start the operation that `session` has built, now."""
        step, session.first = session.first, None
        assert step is not None
        session.in_operation = True
        now_ns = perf_counter_ns()
        session.began_ns = now_ns
        self._step(session, step, now_ns)

    def begin_all(self) -> None:
        """Set `issuing` and start an operation in every idle session."""
        self.issuing = True
        for session in tuple(self.sessions):
            if session.first is not None:
                self.begin(session)

    def set_arrivals(self, arrivals: ArrivalSchedule | None) -> None:
        """Follow `arrivals` (open loop) from now on, or run a closed loop if it is None.

        Operations that were due before are discarded.
        """
        for session in self.open_loop.set_arrivals(arrivals, self.sessions):
            if self._may_begin(session):
                self.begin(session)

    def _set_next(self, session: Session, first: Step) -> None:
        """Store the first step of the session's next operation and mark the session idle."""
        session.first = first
        session.in_operation = False

    def _collector_of(self, session: Session) -> StatsCollector:
        """Return the collector for the session's current operation: `measured` or `warm`."""
        return self.measured if session.began_ns >= self.measure_from_ns else self.warm

    def _complete_and_continue(
        self, session: Session, step: CompletedThenNext, now_ns: int
    ) -> None:
        """Count a completed operation whose successor is built already, and start the successor."""
        connection, request, wanted, outcome = step
        self._end(session, outcome, now_ns)
        self._set_next(session, (connection, request, wanted))
        if self.issuing:
            self.begin(session)

    def _end(self, session: Session, outcome: Completed, now_ns: int) -> None:
        """Count a completed operation with its service time and, in an open loop, its response time."""
        session.failures = 0
        collector = self._collector_of(session)
        collector.service.record(now_ns - session.began_ns)
        collector.outcomes[outcome] = collector.outcomes.get(outcome, 0) + 1
        if session.due_ns:
            collector.response.record(now_ns - session.due_ns)

    def _fail(self, session: Session, kind: str, now_ns: int) -> None:
        """Count a failed operation and schedule a retry, after a pause if failures repeat."""
        collector = self._collector_of(session)
        collector.failures.record(now_ns - session.began_ns)
        collector.count_failure(kind)
        session.failures += 1
        self._set_next(session, session.resume(None))
        replaced = READ_ONLY_KINDS.get(kind)
        if replaced is not None:
            # The name of a server that was made a replica may lead elsewhere now. Another server's has not changed.
            for connection in tuple(session.connections.values()):
                if connection.dialect is replaced:
                    self.connections.close(connection)
        # A session whose keys include those of a node that is down continues with the other nodes;
        # it pauses only if every attempt fails.
        tolerated = TOLERATED_FAILURES if kind in UNREACHABLE else 0
        in_a_row = session.failures - tolerated
        pause_ns = int(delay_s(in_a_row) * 1e9) if in_a_row > 0 else 0

        def retry() -> None:
            if self._may_begin(session):
                self.begin(session)

        self.timers.at(now_ns + pause_ns, retry)

    def busy(self) -> int:
        """Return the number of sessions with an operation in flight."""
        return sum(session.in_operation for session in self.sessions)

    def fail_in_flight(self, kind: str, *, final: bool = False) -> None:
        """Count every operation in flight as failed with `kind` and record how long it took so far.

        It does not wait for replies. Unless the failure is `final`, each such session is idle afterwards and has its
        next operation built. The connections on which it awaits a reply are closed: otherwise that reply would be taken
        for the reply to the next request. With `final` (the end of the run) sessions are not restarted and connections
        stay open.
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
                    self._discard_operation(session)

    def _discard_operation(self, session: Session) -> None:
        """Drop the operation in flight of `session` and restart its program."""
        for connection in tuple(session.connections.values()):
            connection.request = None
            if connection.wanted:
                self.connections.close(connection)
        self.restart(session, session.program)

    def time_out(self, now_ns: int) -> None:
        """Close the connections of operations that have waited longer than `REPLY_TIMEOUT_NS` for a reply."""
        for session in tuple(self.sessions):
            if session.in_operation and now_ns - session.began_ns > REPLY_TIMEOUT_NS:
                for connection in tuple(session.connections.values()):
                    if connection.wanted:
                        self.connections.on_broken(connection, now_ns, connection.dialect.timed_out)

    # ---------------------------------------------------------------- sessions

    def add(self, program: Callable[[Session], Program]) -> Session:
        """Add and return an idle session that runs `program`; `begin` starts its first operation."""
        session = Session()
        session.connections = SessionConnections(
            lambda address: self.connections.connection(session, address)
        )
        self.restart(session, program)
        self.sessions.append(session)
        return session

    def restart(self, session: Session, program: Callable[[Session], Program]) -> None:
        """Run `program` in an idle session, over the connections that the session already has."""
        session.program = program
        generator = program(session)
        session.resume = generator.send
        session.first = next(generator)

    def remove(self, session: Session) -> None:
        """Remove an idle session and close its connections."""
        session.first = None
        self.sessions.remove(session)
        for connection in tuple(session.connections.values()):
            self.connections.remove(connection)

    # ---------------------------------------------------------------- timers and watched descriptors

    def after_ns(self, delay_ns: int, callback: Callable[[], None]) -> None:
        """Call `callback` from the loop after `delay_ns`."""
        self.timers.at(perf_counter_ns() + delay_ns, callback)

    def watch(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Call `readable` from the loop whenever `descriptor` is readable."""
        self._watched[descriptor] = readable
        self.connections.poller.register(descriptor, READ)

    def close(self) -> None:
        """Close every connection and the poller."""
        self.connections.close_all()
