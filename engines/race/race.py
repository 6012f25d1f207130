"""The coordinator of a race: it starts servers and engine processes, makes frames and passes controls on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from threading import Thread
from types import TracebackType
from typing import Self

from engines.backends.server_counters import FINAL_READ_WAIT_S
from engines.config import race_config as config
from engines.config.file_limit import most_connections, require_files
from engines.consistency.claims import ClaimCheck
from engines.consistency.read_back import READ_BACK_WAIT_S, LaneRows, read_back
from engines.endpoints.deadline import Deadline
from engines.errors import RaceError
from engines.host.open_files import raise_limit
from engines.ipc.schedule import Schedule
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Frame
from engines.metrics.node_counts import CountsByNode, NodeComparison, NodeCounts
from engines.model.controls import (
    Connections,
    Control,
    FlushCache,
    Rate,
    Release,
    Ttl,
    describe,
)
from engines.model.deaths import Death, ServerDeath
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LaneInfo
from engines.model.roles import CONNECTIONS, OTHER, Role
from engines.provisioning import cache
from engines.provisioning.leases import CONFIRM_WAIT_S, RELEASE_WAIT_S, RaceLeases
from engines.race import servers
from engines.race.control_queue import ControlQueue
from engines.race.engine_group import EngineGroup
from engines.race.event_log import EventBuffer
from engines.race.scheduler import LaneScheduler
from engines.race.servers import RaceServers
from engines.results.death_text import announce_death, death_step
from engines.sandbox.sandbox import Sandbox
from engines.source import ProgressCallback
from engines.workload.dataset import TelemetryPool

LATE_NS = 250_000_000
"""Time that a frame waits for a late engine process, whose report is in a later frame otherwise. More makes the screen
stall with one process, less puts reports of a busy machine into the wrong frame."""

FLUSH_WAIT_S = 1.0
"""Seconds that the end of a race waits for a flush of a cache, whose own commands its server has counted."""


DEATH_WAIT_S = 0.3
"""How long the death of a private server may be reported after an error that it caused, in seconds. With less, the
error is shown without its reason; more delays every error of a start on private servers."""


STOP_READ_WAIT_S = 0.2
"""Time that a race which is stopped waits for the last reading of the servers' counters. A server that answers at all
does so in a few milliseconds."""


HURRIED_WAIT_S = 0.05
"""Time that each step of an end waits for servers that do not answer, if the race was stopped or never started."""


STOP_WITHIN_S = 0.8
"""Time from a stop to the end of all waiting for servers, whatever they do: operations in flight, the last reading,
leases, rows and claims. What is left of a second is for processes to end and for Python to exit."""

RELEASE_SHARE_S = 0.1
"""The part of it that is kept for giving the leases back."""


class Race:
    """One race, from the start of the servers to their end.

    ::

        with Race(settings, interval_s=1.0, on_progress=print) as race:
            run_pipeline(race, consumers)

    Entry starts private servers for the lanes without configured ones, creates tables and hot keys there, and opens
    every connection. It blocks for seconds, raises RaceError (config.ConfigError for a setting that does not fit this
    machine), and removes everything if it fails. On configured servers, it creates no table and no row before the
    race. From a configured cache it deletes telemon's own keys, and fills it with every hot key for a warm start. Any
    thread and any signal handler may call `stop` and `send`.
    """

    def __init__(
        self,
        settings: config.RaceConfig,
        *,
        interval_s: float = 1.0,
        on_progress: ProgressCallback = lambda _: None,
        sandbox: Sandbox | None = None,
        keep_versions: bool = False,
        hold: bool = False,
    ) -> None:
        """Create a race that has not started.

        `sandbox` is a running one, which the race uses and does not end. `keep_versions` keeps `versions`. With `hold`,
        every lane waits at the start barrier, connected and warm, for a `Release`; its duration counts from then. In
        heats the first release starts the first heat, whatever lane it names.
        """
        self._settings = settings
        self._interval_s = interval_s
        self._on_progress = on_progress
        self._rate_per_s = settings.rate_per_s if settings.mode == "pace" else None
        self._connections: dict[Role, int] = dict(settings.connections)
        """Connections of each role in each lane, as they were asked for last."""
        self._keep_versions = keep_versions
        self._exit = ExitStack()
        self._log = EventBuffer()
        self._inbox = ControlQueue()
        self._engine_group = EngineGroup(settings, self._log.note, self._inbox)
        self._lanes = self._engine_group.lanes
        self._scheduler = LaneScheduler(settings, self._lanes, self._log.note, hold=hold)
        self._servers: RaceServers | None = None
        self._server_deaths = 0
        """Number of the sandbox's deaths that are noted, or that happened before this race."""
        self._leases = RaceLeases(self._log.note)
        self._flushes: list[Thread] = []
        self._stop_sent = False
        self._longest_ttl_s = settings.ttl_s
        self._closing: ClosingCounts | None = None
        """The closing counts of a race that has come to its end."""
        self._hurried = False
        """Whether the race was stopped while a server did not answer: nothing waits for the servers then."""
        self._stopped_s: float | None = None
        """When the race was asked to stop (monotonic clock)."""
        self._starting: Deadline | None = Deadline("the start of the race", None)
        """What the start waits for; None after it."""
        self.sandbox = sandbox
        self.lane_infos: tuple[LaneInfo, ...] = ()
        self.environment = RaceEnvironment()
        """Facts about the environment for the fairness sheet: file system, processors, caveats."""

    # ---------------------------------------------------------------- start and end

    def __enter__(self) -> Self:
        try:
            with self._starting or Deadline("the start of the race", None):
                self._start()
        except BaseException:
            self._exit.close()
            raise
        finally:
            self._starting = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def _start(self) -> None:
        # Before any child: engines and servers inherit the limit.
        require_files(self._settings, raise_limit())
        self._exit.callback(self._inbox.close)
        # The leases go back when no engine process is left.
        self._exit.callback(self._release_leases)
        self._exit.callback(self._engine_group.close)
        try:
            self._inbox.open()
            # The engines' interpreters start while the servers do.
            self._engine_group.start()
        except OSError as error:
            raise RaceError(
                f"the engine processes cannot be started: {error.strerror or error}; ask for fewer (processes), or "
                "raise what this user may have (ulimit -n, ulimit -u)"
            ) from error
        if self._inbox.stop_requested:
            raise RaceError("the race was stopped before it started")
        if self.sandbox is None:
            self.sandbox = servers.start_private_servers(
                self._settings, self._on_progress, self._exit
            )
        else:
            self._server_deaths = len(self.sandbox.deaths)
        try:
            self._connect()
        except RaceError as error:
            # A server that died is the reason why it cannot be used. Its end is reported a moment after it.
            waits = self.sandbox is not None and not self._inbox.stop_requested
            until_s = time.monotonic() + (DEATH_WAIT_S if waits else 0.0)
            while not (deaths := self._new_server_deaths()):
                if time.monotonic() > until_s:
                    raise
                time.sleep(0.01)
            step = death_step(deaths[0])
            raise RaceError(f"{announce_death(deaths[0])}; so {error}; {step}") from error

    def _connect(self) -> None:
        """Make the servers ready and open every connection."""
        place = servers.make_ready(
            self._settings, self.sandbox, self._on_progress, self._exit, self._leases
        )
        self._servers = place
        self.environment = place.environment
        # How many nodes a cluster of the user's own has was not known before.
        require_files(self._settings, raise_limit(), self._nodes)
        self._engine_group.assign(place, self._rate_per_s, keep_versions=self._keep_versions)
        self._on_progress("connecting the lanes")
        self._engine_group.await_ready(self._check_servers, self._on_progress)
        self._on_progress("measuring telemon's own share")
        overheads_us = self._engine_group.overheads_us()
        self.lane_infos = tuple(
            replace(lane_info, overhead_us=overheads_us[lane_info.lane])
            for lane_info in place.lane_infos
        )

    # ---------------------------------------------------------------- controls

    def stop(self) -> None:
        """End the race. Operations in flight finish first, and the last frame holds them. Does not block.

        A start that waits for a server fails at once, with the error of the connection that it waits for.
        """
        if self._stopped_s is None:
            self._stopped_s = time.monotonic()
        self._inbox.stop()
        starting = self._starting
        if starting is not None:
            starting.end()

    def send(self, control: Control) -> None:
        """Pass a control to the engine processes. Does not block."""
        self._inbox.send(control)

    def _apply_controls(self) -> None:
        for asked in self._inbox.controls():
            control = self._clamp(asked)
            if control is None:
                continue
            match control:
                case Release():
                    self._scheduler.release(control)
                case FlushCache() if self._servers is not None:
                    at = self._servers
                    self._flushes += cache.flush_caches(
                        at.endpoints.values(), at.private, self._log.note, at.counters.exclude
                    )
                case Rate(per_s):
                    self._rate_per_s = per_s
                    self._engine_group.tell(control)
                case Ttl(ttl_s):
                    self._longest_ttl_s = max(self._longest_ttl_s, ttl_s)
                    self._engine_group.tell(control)
                case _:
                    self._engine_group.tell(control)
            self._log.note(None, describe(control), control=control)
        if self._inbox.stop_requested and not self._stop_sent:
            self._stop_sent = True
            self._scheduler.stop()

    @property
    def _nodes(self) -> dict[str, int]:
        """Return by lane how many nodes its Redis has, as far as the servers were asked."""
        found = self.environment.servers
        return {lane: facts[-1].nodes for lane, facts in found.items() if facts}

    def _clamp(self, control: Control) -> Control | None:
        """Return the part of a control that can be applied, None for nothing.

        Each engine process has at least one connection, and a race without processes for a role gets none.
        """
        if not isinstance(control, Connections):
            return control
        processes = self._engine_group.processes(control.role)
        if processes:
            others = self._connections[OTHER[control.role]]
            most = most_connections(
                self._settings, control.role, others, raise_limit(), self._nodes
            )
            if control.count > most:
                self._log.note(
                    None,
                    f"no more than {most:,} {CONNECTIONS[control.role]}: open files are limited",
                )
            count = max(min(control.count, most), processes)
            self._connections[control.role] = count
            return replace(control, count=count)
        name = CONNECTIONS[control.role]
        for lane in self._lanes:
            self._log.note(lane, f"no connections of {name}: the race began without any")
        return None

    # ---------------------------------------------------------------- frames

    def frames(self) -> Iterator[Frame]:
        """Yield a frame at the end of each interval. The last one holds the operations in flight at the end.

        After it, the servers are asked for acknowledged rows and for what the result claims of them, which blocks for
        at most `READ_BACK_WAIT_S`.
        """
        schedule = self._scheduler.go(self._interval_s)
        began_ns, seq, final = schedule.start_ns, 0, False
        while not final:
            end_ns = schedule.end_ns(seq)
            final = self._wait_for_reports(seq, schedule)
            ended_ns = end_ns
            if final:
                if self._servers is not None:
                    stopped, counters = self._inbox.stop_requested, self._servers.counters
                    if not stopped:
                        self._await_flushes()
                    counters.read(STOP_READ_WAIT_S if stopped else FINAL_READ_WAIT_S)
                    self._hurried = stopped and counters.late
                    self._leases.confirm(self._wait_s(CONFIRM_WAIT_S))
                ended_ns = self._ended_ns(began_ns)
            frame = self._frame(seq, began_ns, ended_ns)
            # After the frame: else the end of a heat would be shown as the warm-up of the next one.
            self._scheduler.advance(end_ns)
            yield frame
            began_ns, seq = ended_ns, seq + 1
        if self._servers is not None:
            # The counts come first: the servers count what they are asked now.
            self._closing = self._check_claims(self._servers, self.closing_counts)

    def _wait_for_reports(self, index: int, schedule: Schedule) -> bool:
        """Block until every engine process has reported interval `index` or is late. Return True for the last one."""
        end_ns = schedule.end_ns(index)
        # The last frame waits for all operations in flight.
        ending = schedule.stop_ns is not None and end_ns >= schedule.stop_ns
        runners = self._lanes.values()
        timeout_ns = 0
        while True:
            self._engine_group.listen(timeout_ns / 1e9)
            self._apply_controls()
            now_ns = time.perf_counter_ns()
            for runner in runners:
                runner.give_up_on_hung(now_ns, self._engine_group.listening_since_ns)
            if all(runner.over for runner in runners):
                return not any(runner.reported_after(index) for runner in runners)
            timeout_ns = LATE_NS
            if not (ending or self._stop_sent):
                timeout_ns += end_ns - now_ns
                if timeout_ns <= 0 or all(runner.reported(index) for runner in runners):
                    return False

    def _wait_s(self, at_most_s: float, kept_s: float = RELEASE_SHARE_S) -> float:
        """Return how long a step of the end may wait for the servers: what is left of a stop, else `at_most_s`.

        `kept_s` is what the steps after it need.
        """
        if self._hurried:
            return HURRIED_WAIT_S
        if self._stopped_s is None:
            return at_most_s
        left_s = self._stopped_s + STOP_WITHIN_S - kept_s - time.monotonic()
        return min(at_most_s, max(HURRIED_WAIT_S, left_s))

    def _release_leases(self) -> None:
        ended = self._closing is not None
        within_s = self._wait_s(RELEASE_WAIT_S, 0.0) if ended else RELEASE_SHARE_S
        self._leases.close(within_s)

    def _await_flushes(self) -> None:
        """Block until no cache is being flushed, at most `FLUSH_WAIT_S`."""
        until_s = time.monotonic() + FLUSH_WAIT_S
        for thread in self._flushes:
            thread.join(max(0.0, until_s - time.monotonic()))

    def _ended_ns(self, began_ns: int) -> int:
        """Return the end of the last interval, which began at `began_ns`.

        It is the time of the last operation of any engine process, or now if none ended in order.
        """
        ended_ns = max(runner.ended_ns or 0 for runner in self._lanes.values())
        return ended_ns if ended_ns > began_ns else time.perf_counter_ns()

    def _frame(self, seq: int, began_ns: int, ended_ns: int) -> Frame:
        counters = self._servers.counters if self._servers is not None else None
        lanes = tuple(
            runner.frame(seq, ended_ns, counters.moved(lane) if counters else {}, self._rate_per_s)
            for lane, runner in self._lanes.items()
        )
        self._note_deaths()
        return Frame(
            seq=seq,
            # A consumer may take the frames late.
            at_utc_s=time.time() - (time.perf_counter_ns() - ended_ns) / 1e9,
            at_monotonic_s=ended_ns / 1e9,
            interval_s=(ended_ns - began_ns) / 1e9,
            elapsed_s=self._scheduler.elapsed_s(ended_ns),
            lanes=lanes,
            events=self._log.take(),
        )

    def _note_deaths(self) -> None:
        """Add the engine processes and private servers that died unasked since the last frame to the event log."""
        deaths: list[Death] = [*self._new_server_deaths()]
        for runner in self._lanes.values():
            deaths += runner.new_deaths()
        for death in deaths:
            self._log.note(death.lane, announce_death(death), death=death)

    def _check_servers(self) -> None:
        """Raise RaceError if a private server died while the race starts."""
        for death in self._new_server_deaths():
            raise RaceError(f"before the race began, {announce_death(death)}; {death_step(death)}")

    def _new_server_deaths(self) -> tuple[ServerDeath, ...]:
        """Return the deaths of private servers of this race's lanes since the last call."""
        if self.sandbox is None:
            return ()
        new = self.sandbox.deaths[self._server_deaths :]
        self._server_deaths += len(new)
        private = self._settings.private_lanes
        return tuple(death for death in new if death.lane in private)

    # ---------------------------------------------------------------- what is known afterwards

    @property
    def closing_counts(self) -> ClosingCounts:
        """Return the counts for the comparison with the servers. They are complete when `frames` is exhausted."""
        if self._closing is not None:
            return self._closing
        counters = self._servers.counters if self._servers is not None else None
        return ClosingCounts(
            warm={lane: dict(runner.warm) for lane, runner in self._lanes.items()},
            counter_caveats={
                lane: counters.counter_caveats(lane) if counters else () for lane in self._lanes
            },
            node_comparisons={
                lane: _compare_nodes(runner.node_counts, counters.nodes(lane) if counters else {})
                for lane, runner in self._lanes.items()
            },
            caveats=self._leases.lost,
        )

    def _check_claims(self, place: RaceServers, closing: ClosingCounts) -> ClosingCounts:
        """Return `closing` with what the servers hold of the acknowledged rows and say of themselves now."""
        within_s = self._wait_s(READ_BACK_WAIT_S)
        until_s = time.monotonic() + within_s
        allowed_ms = round(self._longest_ttl_s * 1000 * (1 + self._settings.ttl_jitter))
        claims = ClaimCheck(place.endpoints, place.environment.servers, allowed_ms)
        lanes = {
            lane: LaneRows(
                place.endpoints[lane],
                [engine.acknowledged for engine in runner.of("write")],
                tuple(runner.node_counts),
            )
            for lane, runner in self._lanes.items()
            if runner.of("write")
        }
        read_backs = read_back(lanes, TelemetryPool(self._settings.seed), within_s)
        found = claims.results(until_s)
        return replace(
            closing,
            read_backs=read_backs,
            setting_changes={lane: each.changes for lane, each in found.items()},
            unread_settings={lane: each.unread for lane, each in found.items()},
            lifetimes={
                lane: each.lifetimes for lane, each in found.items() if each.lifetimes is not None
            },
            filled=frozenset(
                lane
                for lane, runner in self._lanes.items()
                if self._settings.cache == "filled"
                or any(counts.sets for counts in runner.node_counts.values())
            ),
        )

    @property
    def versions(self) -> dict[str, dict[int, int]]:
        """Return the last acknowledged version of each car by lane, if the race keeps them."""
        return {lane: runner.versions for lane, runner in self._lanes.items()}


def _compare_nodes(
    telemon: CountsByNode, servers: Mapping[str, Mapping[str, int]]
) -> list[NodeComparison]:
    """Return the counts of telemon and of the server for every node that has counters, sorted by address."""
    return [
        NodeComparison(address, telemon.get(address, NodeCounts()), servers[address])
        for address in sorted(servers)
    ]
