"""One selector loop that drives every connection of an engine process, in the manner of redis-benchmark and wrk.

It knows nothing of lanes: it sends what programs yield, stamps the replies when it wakes for them, and resumes the
program with each reply once it is complete. Nothing here blocks but the wait for the sockets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter_ns, thread_time_ns
from typing import Any, cast

from engines.backoff import delay_s
from engines.connector import Connector
from engines.fault import DEMOTED
from engines.histogram import Histogram
from engines.link import MYSQL, REDIS, Dialect, Link, Lost
from engines.outcome import Done, Failed
from engines.pacing import LATE_NS, Pace
from engines.poller import READ, WRITE, Poller
from engines.session import Links, Program, Request, Session, Step
from engines.tally import Tally
from engines.timers import NEVER_NS, Timers
from engines.wire.reply import INCOMPLETE, ProtocolError

RECEIVE_BYTES = 65_536
"""The most that is read from a socket at a time: every reply of a hot path fits."""

DOWN_FOR_NS = 250_000_000
"""How long an operation waits for a connection to stand before it fails; where it is known that it does not, it fails
at once. A lane with one dead shard must not come to a halt on it."""

SPARED_FAILURES = 5
"""So many failures in a row for want of a connection are followed by no pause: with one shard of three dead, one
operation in 243 fails so often. More of them are no one shard's, and a lane must not fail as fast as it can."""

UNREACHABLE = frozenset(dialect.refused for dialect in (MYSQL, REDIS))

REPLY_TIMEOUT_NS = 10_000_000_000
"""An operation that takes longer has its connections closed and fails."""

IDLE_POLL_S = 0.25
"""The longest wait for the sockets; timers shorten it."""

AT_ONCE_NS = 50_000
"""A wait for the sockets shorter than this was none: the replies that it found were ready before it began. Looking at
many sockets takes some 10 us."""

OWN_LAG_EVERY_NS = 1_000_000
"""The least time between two turns whose processor time is taken: asking for it costs half a microsecond."""

Plan = Callable[[str], tuple[Dialect, Callable[[], Any]]]
"""From an address, the protocol spoken there and how to open a connection to it."""


class Reactor:
    """The loop. Set `flowing` to let operations begin; `measured` and `warm` hold what came of them.

    An operation counts as measured only if it began at or after `measure_from_ns`; all others are warm-up.
    """

    def __init__(self, plan: Plan, on_link_trouble: Callable[[], None] | None = None) -> None:
        self._plan = plan
        self._on_link_trouble = on_link_trouble
        self.poller = Poller()
        self.timers = Timers()
        self.connector = Connector()
        self.measured = Tally()
        self.warm = Tally()
        self.measure_from_ns = NEVER_NS
        self.loop_lag = Histogram()
        """By wake-up: how long its replies may have been ready before the loop noticed them, which is the turn that
        it was away for, and nothing where it was waiting for them."""
        self.own_lag = Histogram()
        """The same in processor time, of a sample of the wake-ups: what the loop's own work kept replies waiting,
        without the time for which it had no processor."""
        self.apart = False
        """Whether the next operation of a session is made up after all replies at hand, and the sockets are looked at
        before another is: for programs that need long to make one up, such as a batch."""
        self._unmade: deque[Session] = deque()
        """The sessions whose next operation is still to be made up."""
        self.redirects = 0
        self.late = 0
        """Operations of an open loop that began late."""
        self.reconnects = 0
        self.flowing = False
        self.running = True
        self.pace: Pace | None = None
        self._idle: deque[Session] = deque()
        """In an open loop, the sessions that wait for an operation to be due."""
        self._due_timer_ns = 0
        """When the timer for the next due operation runs."""
        self.sessions: list[Session] = []
        self._links: dict[int, Link] = {}
        self._watched: dict[int, Callable[[], None]] = {}
        self._dropped: list[Link] = []
        self.watch(self.connector.wake.fileno(), self.connector.deliver)

    # ---------------------------------------------------------------- the loop

    def run(self) -> None:
        """Turn until `running` is cleared."""
        links, timers = self._links, self.timers
        saturated, precisely = self.poller.poll, self.poller.poll_precisely
        lag, own_lag, unmade = self.loop_lag.record, self.own_lag.record, self._unmade
        clock, processor = perf_counter_ns, thread_time_ns
        now_ns = woke_ns = sampled_ns = clock()
        began_ns, own_ns = 0, -1
        while self.running:
            wait_s = 0.0 if unmade else (timers.next_ns - now_ns) / 1e9
            poll = saturated if self.pace is None else precisely
            events = poll(0 if wait_s <= 0 else wait_s if wait_s < IDLE_POLL_S else IDLE_POLL_S)
            away_ns, woke_ns = now_ns - woke_ns, clock()
            if events:
                at_once = woke_ns - now_ns < AT_ONCE_NS
                lag(away_ns if at_once else 0)
                if own_ns >= 0:
                    own_lag(own_ns if at_once else 0)
            sampling = woke_ns - sampled_ns > OWN_LAG_EVERY_NS
            if sampling:
                began_ns, sampled_ns = processor(), woke_ns
            for descriptor, event in events:
                link = links.get(descriptor)
                if link is None:
                    watcher = self._watched.get(descriptor)
                    if watcher is not None:
                        watcher()
                    continue
                if event == WRITE:
                    self._flush(link)
                    continue
                try:
                    data = link.receive(RECEIVE_BYTES)
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    data = b""
                if event & WRITE and data:
                    self._flush(link)
                wanted = link.wanted
                if not wanted or not data:
                    self.lose(link, woke_ns)
                    continue
                try:
                    answer = link.one_reply(data) if wanted == 1 else link.parser.many(data, wanted)
                except ProtocolError:
                    self.lose(link, woke_ns)
                    continue
                if answer is INCOMPLETE:
                    continue
                link.wanted = 0
                link.answered += wanted
                session = link.session
                if session.answers is None:
                    self._step(session, session.resume(answer), woke_ns)
                else:
                    self._gather(session, link, answer, woke_ns)
            now_ns = clock()
            if now_ns >= timers.next_ns:
                timers.run(now_ns)
                now_ns = clock()
            if unmade:
                self._make_up(unmade.popleft())
                now_ns = clock()
            own_ns = processor() - began_ns if sampling else -1

    def _step(self, session: Session, step: Step, now_ns: int) -> None:
        """Do what a program yielded when it was resumed with replies that arrived at `now_ns`."""
        kind = step.__class__
        if kind is Done:
            taken_ns = now_ns - session.began_ns
            tally = self.measured if session.began_ns >= self.measure_from_ns else self.warm
            tally.service.record(taken_ns)
            outcomes = tally.outcomes
            outcomes[step] = outcomes.get(step, 0) + 1  # type: ignore[index,arg-type]
            session.failures = 0
            pace = self.pace
            if pace is not None and session.due_ns:
                tally.response.record(now_ns - session.due_ns)
            if self.apart:
                self._unmade.append(session)
                return
            step = session.resume(None)
            if not self.flowing:
                self._hold(session, step)
                return
            began_ns = perf_counter_ns()
            if pace is not None:
                if pace.next_ns > began_ns:
                    self._hold(session, step)
                    self._await_due(session)
                    return
                self._take(session, pace, began_ns)
            kind = step.__class__
            session.began_ns = began_ns
        elif kind is Failed:
            self._fail(session, step.kind, now_ns)  # type: ignore[union-attr]
            return
        if kind is tuple:
            link: Link
            link, request, wanted = cast("Request", step)
            session.answers = None
            # `_send`, written out: a call more for every operation would be felt.
            if link.socket is None:
                self._await_link(link, request, wanted)
                return
            link.wanted = wanted
            try:
                sent = link.send(request)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._broken(link)
                return
            if sent != len(request):
                self._keep(link, request, sent)
        else:
            self._fan_out(session, step)  # type: ignore[arg-type]

    def _fan_out(self, session: Session, requests: list[tuple[Link, bytes, int]]) -> None:
        session.waiting = len(requests)
        session.answers = [link for link, _, _ in requests]
        for link, request, wanted in requests:
            self._send(link, request, wanted)

    def _gather(self, session: Session, link: Link, answer: Any, now_ns: int) -> None:
        answers = session.answers
        assert answers is not None
        answers[answers.index(link)] = answer
        session.waiting -= 1
        if not session.waiting:
            self._step(session, session.resume(answers), now_ns)

    def _answer(self, link: Link, answer: Any, now_ns: int) -> None:
        session = link.session
        if session.answers is None:
            self._step(session, session.resume(answer), now_ns)
        else:
            self._gather(session, link, answer, now_ns)

    # ---------------------------------------------------------------- operations

    def begin(self, session: Session) -> None:
        """Let a session that holds between two operations begin the next, or, in an open loop, wait for it."""
        if self.pace is None:
            self._begin(session)
        else:
            self._await_due(session)

    def _begin(self, session: Session) -> None:
        step, session.first = session.first, None
        assert step is not None
        session.in_operation = True
        now_ns = perf_counter_ns()
        session.began_ns = now_ns
        self._step(session, step, now_ns)

    def begin_all(self) -> None:
        """Let operations flow in every session."""
        self.flowing = True
        for session in tuple(self.sessions):
            if session.first is not None:
                self.begin(session)

    def set_pace(self, pace: Pace | None) -> None:
        """Race in an open loop from now on, or (None) in a closed one. What was due before is forgotten."""
        if pace is None or self.pace is None:
            for session in self.sessions:
                session.due_ns = 0  # What began in a closed loop was never due.
        self.pace = pace
        self._due_timer_ns = 0
        waiting, self._idle = self._idle, deque()
        for session in waiting:
            session.due_ns = 0
            if self.flowing and session.first is not None:
                self.begin(session)

    def _await_due(self, session: Session) -> None:
        self._idle.append(session)
        self._begin_due()

    def _begin_due(self) -> None:
        """Begin what is due, as far as there are sessions to do it; come back when the next one is."""
        pace, idle = self.pace, self._idle
        if pace is None:
            return
        now_ns = perf_counter_ns()
        while idle and pace.next_ns <= now_ns:
            session = idle.popleft()
            if self.flowing and session.first is not None:
                self._take(session, pace, now_ns)
                self._begin(session)
        if idle and self._due_timer_ns != pace.next_ns:
            self._due_timer_ns = pace.next_ns
            self.timers.at(pace.next_ns, self._begin_due)

    def _take(self, session: Session, pace: Pace, now_ns: int) -> None:
        session.due_ns = pace.take()
        if now_ns - session.due_ns > LATE_NS:
            self.late += 1

    def backlog(self) -> int:
        """How many operations of an open loop are due and have not begun."""
        return self.pace.backlog(perf_counter_ns()) if self.pace is not None and self.flowing else 0

    def _hold(self, session: Session, first: Step) -> None:
        session.first = first
        session.in_operation = False

    def _make_up(self, session: Session) -> None:
        """The next operation of a session that has ended one."""
        self._hold(session, session.resume(None))
        if self.flowing:
            self.begin(session)

    def _fail(self, session: Session, kind: str, now_ns: int) -> None:
        tally = self.measured if session.began_ns >= self.measure_from_ns else self.warm
        tally.failures.record(now_ns - session.began_ns)
        tally.fail(kind)
        session.failures += 1
        self._hold(session, session.resume(None))
        if kind in DEMOTED:
            for link in tuple(session.links.values()):
                self._close(link)
        # Who meets a node that is down goes on with the others, unless it meets nothing else.
        spared = SPARED_FAILURES if kind in UNREACHABLE else 0
        in_a_row = session.failures - spared
        pause_ns = int(delay_s(in_a_row) * 1e9) if in_a_row > 0 else 0

        def again() -> None:
            if self.flowing and session.first is not None:
                self.begin(session)

        self.timers.at(now_ns + pause_ns, again)

    def busy(self) -> int:
        """How many sessions are in an operation."""
        return sum(session.in_operation for session in self.sessions)

    def give_up(self, kind: str, *, for_good: bool = False) -> None:
        """Count every operation that is still under way as failed with `kind`, without waiting for it.

        Its session holds afterwards, ready for another; the connections on which it waits for a reply are closed, or
        that would be taken for the reply to the next request. Neither where all ends `for_good`.
        """
        while self._unmade:
            self._make_up(self._unmade.popleft())
        now_ns = perf_counter_ns()
        for session in self.sessions:
            if session.in_operation:
                tally = self.measured if session.began_ns >= self.measure_from_ns else self.warm
                tally.failures.record(now_ns - session.began_ns)
                tally.fail(kind)
                session.in_operation = False
                if not for_good:
                    self._begin_anew(session)

    def _begin_anew(self, session: Session) -> None:
        """Forget the operation that a session is in."""
        for link in tuple(session.links.values()):
            link.request = None
            if link.wanted:
                self._close(link)
        self.restart(session, session.program)

    # ---------------------------------------------------------------- sessions and links

    def add(self, program: Callable[[Session], Program]) -> Session:
        """A new session that runs `program`; it begins when `begin` says so."""
        session = Session()
        session.links = Links(lambda address: self._make_link(session, address))
        self.restart(session, program)
        self.sessions.append(session)
        return session

    def restart(self, session: Session, program: Callable[[Session], Program]) -> None:
        """Run `program` in a session that holds between two operations, over the links that it has."""
        session.program = program
        generator = program(session)
        session.resume = generator.send
        session.first = next(generator)

    def dismiss(self, session: Session) -> None:
        """End a session that holds between two operations, and close its connections."""
        session.first = None
        self.sessions.remove(session)
        for link in tuple(session.links.values()):
            self.drop(link)

    def _make_link(self, session: Session, address: str) -> Link:
        dialect, open_socket = self._plan(address)
        link = Link(session, address, dialect, open_socket)
        self._open(link)
        return link

    def closed_links(self) -> list[Link]:
        """The links that are down: they stood once, or could not be opened."""
        return [
            link
            for session in self.sessions
            for link in session.links.values()
            if link.socket is None and (link.opened or link.failures)
        ]

    def all_links(self) -> Iterator[Link]:
        """Every link that there is, and that there was."""
        yield from self._dropped
        for session in self.sessions:
            yield from session.links.values()

    def unopened_links(self) -> list[Link]:
        """The links that never stood."""
        return [
            link for session in self.sessions for link in session.links.values() if not link.opened
        ]

    def _open(self, link: Link) -> None:
        if link.opening or link.retired or link.socket is not None:
            return
        link.opening = True

        def opened(sock: Any) -> None:
            link.opening = False
            if link.retired:
                sock.close()
                return
            link.attach(sock)
            self._links[sock.fileno()] = link
            self.poller.register(sock.fileno(), READ)
            if link.opened > 1:
                self.reconnects += 1
            if link.request is not None:
                (request, wanted), link.request = link.request, None
                self._send(link, request, wanted)

        def refused(error: Exception) -> None:
            link.opening = False
            if link.retired:
                return
            link.down = True
            self._open_after_pause(link, str(error))
            if self._on_link_trouble is not None:
                self._on_link_trouble()

        def open_socket() -> Any:
            if link.retired:
                raise ConnectionAbortedError("nobody needs it any more")
            return link.open_socket()

        self.connector.submit(link.address, open_socket, opened, refused)

    def _open_after_pause(self, link: Link, refusal: str) -> None:
        link.failures += 1
        link.refusal = refusal
        self.after_ns(int(delay_s(link.failures) * 1e9), lambda: self._open(link))

    def _send(self, link: Link, request: bytes, wanted: int) -> None:
        if link.socket is None:
            self._await_link(link, request, wanted)
            return
        link.wanted = wanted
        try:
            sent = link.send(request)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._broken(link)
            return
        if sent != len(request):
            self._keep(link, request, sent)

    def _broken(self, link: Link) -> None:
        """A send failed: the connection had broken while it was idle. The answer comes from a timer, since a step of
        several requests may have others still to send."""
        self._close(link)
        resume = link.session.resume

        def answer() -> None:
            # A program that has begun anew meanwhile has asked for nothing.
            if link.session.resume is resume:
                self._answer(link, Lost(link.dialect.gone), perf_counter_ns())

        self.timers.at(0, answer)

    def _await_link(self, link: Link, request: bytes, wanted: int) -> None:
        waiting = (request, wanted)
        link.request = waiting
        self._open_later(link)

        def give_up() -> None:
            if link.request is waiting:
                link.request = None
                link.down = True
                self._answer(link, Lost(link.dialect.refused), perf_counter_ns())

        self.timers.at(perf_counter_ns() + (0 if link.down else DOWN_FOR_NS), give_up)

    def _open_later(self, link: Link) -> None:
        if not link.opening and not link.failures:
            self._open(link)

    def _keep(self, link: Link, request: bytes, sent: int) -> None:
        link.unsent = memoryview(request)[sent:]
        assert link.socket is not None
        self.poller.modify(link.socket.fileno(), READ | WRITE)

    def _flush(self, link: Link) -> None:
        unsent = link.unsent
        assert link.socket is not None
        if unsent is not None:
            try:
                sent = link.send(unsent)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return  # The same failure makes the socket readable, and the loop reads it there.
            if sent != len(unsent):
                link.unsent = unsent[sent:]
                return
        link.unsent = None
        self.poller.modify(link.socket.fileno(), READ)

    def _close(self, link: Link) -> None:
        """Close a link's connection, if it stands, and begin to open it again, unless it is retired."""
        if link.socket is None:
            return
        descriptor = link.socket.fileno()
        self._links.pop(descriptor, None)
        if descriptor >= 0:
            self.poller.unregister(descriptor)
        proved = link.proved(perf_counter_ns())
        link.detach()
        if link.retired:
            return
        if proved:
            link.failures = 0
            self._open(link)
        else:
            # Who takes connections and hangs up, as a proxy does whose far end is down, is not asked without end.
            self._open_after_pause(link, "the connection was closed as soon as it stood")
        if self._on_link_trouble is not None:
            self._on_link_trouble()

    def lose(self, link: Link, now_ns: int, kind: str | None = None) -> None:
        """A connection broke: close it, answer what was due on it, and begin to open it again. Where nothing was due no
        operation failed: it counts as a reconnect, once it stands again."""
        due = link.wanted
        self._close(link)
        if due:
            self._answer(link, Lost(kind or link.dialect.lost), now_ns)

    def drop(self, link: Link) -> None:
        """Give up a link for good: nobody needs its address any more."""
        link.retired = True
        waiting, link.request = link.request is not None or link.wanted > 0, None
        self._close(link)
        link.session.links.pop(link.address, None)
        self._dropped.append(link)
        if waiting:
            self._answer(link, Lost(link.dialect.lost), perf_counter_ns())

    def time_out(self, now_ns: int) -> None:
        """Close the connections of the operations that have waited too long for a reply."""
        for session in tuple(self.sessions):
            if session.in_operation and now_ns - session.began_ns > REPLY_TIMEOUT_NS:
                for link in tuple(session.links.values()):
                    if link.wanted:
                        self.lose(link, now_ns, link.dialect.timed_out)

    def after_ns(self, delay_ns: int, callback: Callable[[], None]) -> None:
        """Call `callback` once `delay_ns` have passed."""
        self.timers.at(perf_counter_ns() + delay_ns, callback)

    def watch(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Call `readable` whenever `descriptor` has something to read."""
        self._watched[descriptor] = readable
        self.poller.register(descriptor, READ)

    def close(self) -> None:
        """Close every connection."""
        for session in self.sessions:
            for link in session.links.values():
                link.retired = True
                link.detach()
        self.connector.close()
        self.poller.close()
