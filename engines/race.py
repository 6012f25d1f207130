"""A race: starts the servers and the engine processes, turns what they report into frames, passes controls down."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from threading import Thread
from types import TracebackType
from typing import Self

from engines import config
from engines.cache_start import ready_cache
from engines.control import Control, FlushCache, Rate, Release, said
from engines.counters import ServerCounters
from engines.endpoint import LaneEndpoints, RedisEndpoint
from engines.engine import Engine
from engines.frame import Entrant, Event, Frame
from engines.heat import Heat, heat_order
from engines.interval import Schedule
from engines.lineup import (
    DOCTOR,
    SEED_VERSION,
    PreparationError,
    advice,
    entrants,
    prepare,
    read_sheets,
    settled,
    shared,
)
from engines.machine import machine
from engines.message import Go, MeasureFloor, Role, Stop
from engines.null_server import NullServer
from engines.prepare import NotPreparedError, check
from engines.runner import Runner, ns_from_now
from engines.sandbox.errors import PortInUse, SandboxError, UnusableDirectory
from engines.sandbox.sandbox import Sandbox
from engines.servers import redis
from engines.shard import Shard, Sides
from engines.tally import Counted

READY_TIMEOUT_S = 15.0
"""How long the connections of all lanes may take to stand."""

FLOOR_TIMEOUT_S = 2.0
"""How long an engine may take to measure its floor; it needs a tenth of a second."""

START_DELAY_S = 0.05
"""From the word go to the first operation: every engine has read its schedule by then."""

LATE_S = 0.25
"""How long a frame waits for an engine that is late. What it reports later is in a later frame."""


PRIVATE = "private, on this machine"


class RaceError(Exception):
    """The race could not be run; the message is one line for the user."""


class Race:
    """One race, from the servers' start to their end.

    ::

        with Race(settings, interval_s=1.0, narrate=print) as race:
            for frame in race.frames():
                ...

    Entering starts private servers for the lanes that are on no others, makes the tables and the hot cars there, and
    opens every connection; it raises RaceError (config.ConfigError for a setting that does not fit this machine) and
    leaves nothing behind when it fails. On servers that the settings name it makes nothing before it races. `stop`
    and `send` may be called from any thread and from a signal handler.
    """

    def __init__(
        self,
        settings: config.Race,
        *,
        interval_s: float = 1.0,
        narrate: Callable[[str], None] = lambda _: None,
        sandbox: Sandbox | None = None,
        ledger: bool = False,
        hold: bool = False,
    ) -> None:
        """`sandbox` is a running one to race on, which the race leaves as it is; `ledger` keeps `versions`.

        With `hold` every lane waits at the start line, connected and warm, until a `Release` is sent; its duration
        counts from then. In heats the first release, whatever lane it names, begins the first heat.
        """
        self._settings = settings
        self._interval_s = interval_s
        self._narrate = narrate
        self._rate_per_s = settings.rate_per_s if settings.mode == "pace" else None
        self._hold = hold or settings.heats
        self._heats_wait = hold
        """Whether the first heat waits for a release too."""
        self._heats = deque(heat_order(settings.lanes, settings.rounds if settings.heats else 0))
        self._heat: Heat | None = None
        self._measured_from_ns: int | None = None
        """From when the race clock runs, once that is known."""
        self._ledger = ledger
        self._exit = ExitStack()
        self._lanes: dict[str, Runner] = {}
        self._private: tuple[str, ...] = ()
        """The lanes on servers of telemon's own."""
        self._endpoints: Mapping[str, LaneEndpoints] = {}
        self._counters: ServerCounters | None = None
        self._events: list[Event] = []
        self._controls: deque[Control] = deque()
        self._stop_requested = False
        self._stop_told = False
        self._ears, self._mouth = socket.socketpair()
        self._ears.setblocking(False)
        self._mouth.setblocking(False)
        self.sandbox = sandbox
        self.entrants: tuple[Entrant, ...] = ()
        self.facts: dict[str, object] = {}
        """What a fair reading of the result must know: file system, processors, and what could mislead."""

    # ---------------------------------------------------------------- start and end

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def _start(self) -> None:
        settings = self._settings
        self._exit.callback(self._mouth.close)
        self._exit.callback(self._ears.close)
        # The engines' interpreters start while the servers do.
        for lane in settings.lanes:
            self._lanes[lane] = runner = Runner(lane, settings, partial(self._note, lane))
            for engine in runner.engines:
                self._exit.callback(engine.close)
        self._private = tuple(lane for lane in settings.lanes if lane not in settings.endpoints)
        if self.sandbox is None and self._private:
            self.sandbox = self._start_sandbox()
        self._prepare()
        self._assign()
        self._await_ready()
        self._measure_floors()

    def _start_sandbox(self) -> Sandbox:
        settings = self._settings
        sandbox = Sandbox(
            self._private,
            directory=settings.sandbox.directory,
            port=settings.sandbox.port,
            on_progress=self._narrate,
        )
        self._exit.callback(sandbox.close)
        try:
            sandbox.start()
        except (PortInUse, UnusableDirectory) as error:
            raise config.ConfigError(str(error)) from error
        except SandboxError as error:
            raise RaceError(str(error)) from error
        return sandbox

    def _prepare(self) -> None:
        """Make the private servers ready, and see that the others are. Nothing is made on those."""
        settings = self._settings
        notes, own = [], settings.endpoints
        try:
            if own:
                self._narrate("looking at the servers that are configured")
                check(own)
                own = settled(own)
                notes += shared(own)
            private = self._private_endpoints()
            if private:
                self._narrate("making the tables and the hot cars")
                prepare(private, settings.seed)
            everywhere = {**private, **own}
            self._endpoints = {lane: everywhere[lane] for lane in settings.lanes}
            for lane, endpoints in self._endpoints.items():
                ready_cache(endpoints, settings, private=lane in self._private)
            beside = self._notes_on_sandbox() if private else ()
            self.entrants = entrants(self._endpoints, beside, self._private)
            sheets = read_sheets(self._endpoints, self._private)
            self._counters = ServerCounters(self._endpoints)
            self._exit.callback(self._counters.close)
            self._counters.start()
        except (PreparationError, NotPreparedError) as error:
            raise RaceError(str(error)) from error
        for lane, why in self._counters.unreadable.items():
            if lane in self._private:
                raise RaceError(f"lane {lane}: a server's counters cannot be read: {why}")
            notes.append(f"lane {lane}: its servers' own counters cannot be read ({why}); {DOCTOR}")
        self.facts = {
            "servers": self._whereabouts(),
            **machine(),
            "lanes": sheets,
            "notes": [*beside, *notes],
        }
        if self.sandbox is not None and private:
            self.facts["file_system"] = self.sandbox.file_system
            self.facts["volatile"] = self.sandbox.volatile

    def _private_endpoints(self) -> dict[str, LaneEndpoints]:
        if self.sandbox is None:
            return {}
        return {lane: self.sandbox.endpoints[lane] for lane in self._private}

    def _notes_on_sandbox(self) -> tuple[str, ...]:
        assert self.sandbox is not None
        if not self.sandbox.volatile:
            return ()
        where = self.sandbox.file_system
        return (f"data on {where}: memory, not a disk, so a commit costs nothing here",)

    def _whereabouts(self) -> str | dict[str, str]:
        """Where the servers are: in a word when all are private, else by lane."""
        if len(self._private) == len(self._settings.lanes):
            return PRIVATE
        found = {}
        for lane, at in self._endpoints.items():
            servers = [f"{s.host}:{s.port}" for s in (at.mysql, at.redis) if s is not None]
            found[lane] = PRIVATE if lane in self._private else " and ".join(servers)
        return found

    def _assign(self) -> None:
        first_version = SEED_VERSION + 1
        if len(self._private) < len(self._lanes):
            # Rows of former races are still there, with versions that this race's must be above: microseconds since
            # the epoch grow faster than any race numbers rows. All lanes alike, so that they write the same.
            first_version = int(time.time() * 1e6)
        for lane, runner in self._lanes.items():
            runner.private = lane in self._private
            runner.assign(
                self._endpoints[lane], self._rate_per_s, first_version, ledger=self._ledger
            )

    def _await_ready(self) -> None:
        self._narrate("connecting the lanes")
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not self._stop_requested:
            self._listen(0.2)
            engines = self._engines()
            dead = next((engine for engine in engines if engine.died), None)
            if dead is not None:
                raise RaceError(f"engine {dead.name} ended before the race began ({dead.died})")
            waiting = [engine for engine in engines if not engine.ready]
            if not waiting:
                return
            if time.monotonic() > deadline_s:
                engine = waiting[0]
                why = "its connections do not stand"
                if engine.not_ready is not None:
                    why = f"{engine.not_ready.address}: {engine.not_ready.reason}"
                step = advice(engine.lane in self._private)
                raise RaceError(f"lane {engine.lane} cannot connect: {why}{step}")

    def _measure_floors(self) -> None:
        """Let one engine after the other measure what telemon itself costs, so that none disturbs another."""
        self._narrate("measuring telemon's own share")
        floors: dict[str, dict[str, float]] = {lane: {} for lane in self._lanes}
        with NullServer() as server:
            for engine in self._engines():
                if engine.role in floors[engine.lane]:
                    continue  # Its twin in another process has told.
                engine.channel.send(MeasureFloor(server.mysql_port, server.redis_port))
                deadline_s = time.monotonic() + FLOOR_TIMEOUT_S
                while engine.floor_us is None and not engine.over and time.monotonic() < deadline_s:
                    self._listen(0.1)
                if engine.floor_us:
                    floors[engine.lane][engine.role] = engine.floor_us
        self.entrants = tuple(
            replace(entrant, floor_us=floors[entrant.lane]) for entrant in self.entrants
        )

    # ---------------------------------------------------------------- controls

    def stop(self) -> None:
        """End the race: operations under way are waited for, the last frame holds them."""
        self._stop_requested = True
        self._wake()

    def send(self, control: Control) -> None:
        """Hand a control to the engines."""
        self._controls.append(control)
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):
            self._mouth.send(b"\0")

    def _pass_down(self) -> None:
        while self._controls:
            control = self._controls.popleft()
            if isinstance(control, FlushCache):
                self._flush_cache()
            elif isinstance(control, Rate):
                self._rate_per_s = control.per_s
            if isinstance(control, Release):
                self._release(control)
            else:
                self._tell(control)
            self._note(None, said(control))

    def _tell(self, message: object) -> None:
        for runner in self._lanes.values():
            runner.tell(message)

    def _release(self, control: Release) -> None:
        """Let lanes that wait at the start line go, all at the same moment, each for the whole duration."""
        self._heats_wait = False
        if self._settings.heats:
            return
        at_ns = ns_from_now(START_DELAY_S)
        for lane, runner in self._lanes.items():
            if runner.held and control.lane in (None, lane):
                runner.let_go(at_ns, at_ns)
                if self._measured_from_ns is None:
                    self._measured_from_ns = at_ns

    def _run_heats(self) -> None:
        """Begin the next heat once the one before is over."""
        if self._heat is not None:
            runner = self._lanes[self._heat.lane]
            if not runner.rested:
                return
            runner.held = not self._heat.final
            self._heat = None
        if self._heats and not self._stop_told:
            self._heat = heat = self._heats.popleft()
            runner = self._lanes[heat.lane]
            runner.heat = heat.round
            at_ns = ns_from_now(START_DELAY_S)
            self._measured_from_ns = at_ns + int(self._settings.warmup_s * 1e9)
            self._note(heat.lane, f"heat {heat.round}: on its own")
            runner.let_go(at_ns, self._measured_from_ns, final=heat.final)

    def _flush_cache(self) -> None:
        """Empty the caches beside the race, so that no frame is late for it."""
        for endpoints in self._endpoints.values():
            if endpoints.mysql is not None and endpoints.redis is not None:
                Thread(
                    target=self._forget, args=(endpoints.lane, endpoints.redis), daemon=True
                ).start()

    def _forget(self, lane: str, cache: RedisEndpoint) -> None:
        try:
            self._note(lane, f"cache flushed: {redis.forget(cache):,} keys removed")
        except redis.FAILURES as error:
            self._note(lane, f"the cache was not flushed: {error}{advice(lane in self._private)}")

    # ---------------------------------------------------------------- frames

    def frames(self) -> Iterator[Frame]:
        """A frame per interval, as it ends. The last one holds what was still under way at the end."""
        start_ns = ns_from_now(START_DELAY_S)
        measure_from_ns = start_ns + int(self._settings.warmup_s * 1e9)
        duration_s = self._settings.duration_s
        schedule = Schedule(
            start_ns=start_ns,
            measure_from_ns=measure_from_ns,
            stop_ns=None
            if duration_s is None or self._hold
            else measure_from_ns + int(duration_s * 1e9),
            interval_ns=int(self._interval_s * 1e9),
        )
        for lane in self._lanes.values():
            lane.held = self._hold
            lane.measure_from_ns = measure_from_ns
            lane.stop_ns = schedule.stop_ns
        if not self._hold:
            self._measured_from_ns = measure_from_ns
        self._tell(Go(schedule, self._hold))
        began_ns, index, seq = start_ns, 0, 0
        while True:
            end_ns = schedule.end_ns(index)
            final = self._gather(index, end_ns, schedule)
            if final and self._counters is not None:
                self._counters.read()
            ended_ns = time.perf_counter_ns() if final else end_ns
            frame = self._frame(seq, began_ns, ended_ns)
            # Afterwards, so that the last of a heat is shown as what it is and not as the next one's warm-up.
            if self._hold and not self._heats_wait and end_ns >= measure_from_ns:
                self._run_heats()
            yield frame
            if final:
                return
            began_ns, index, seq = ended_ns, index + 1, seq + 1

    def _gather(self, index: int, end_ns: int, schedule: Schedule) -> bool:
        """Wait until every engine has reported interval `index`, or is late; whether all engines are over."""
        # The end is waited for in one piece, however long the operations under way take.
        ending = schedule.stop_ns is not None and end_ns >= schedule.stop_ns
        while True:
            self._pass_down()
            if self._stop_requested and not self._stop_told:
                self._stop_told = True
                self._tell(Stop())
                for lane in self._lanes.values():
                    lane.stop_ns = time.perf_counter_ns()
            now_ns = time.perf_counter_ns()
            runners = self._lanes.values()
            for runner in runners:
                runner.abandon_hung(now_ns)
            if all(runner.over for runner in runners):
                return True
            deadline_ns = now_ns + int(LATE_S * 1e9)
            if not (ending or self._stop_told):
                deadline_ns = end_ns + int(LATE_S * 1e9)
                if now_ns >= deadline_ns or all(runner.reported(index) for runner in runners):
                    return False
            self._listen((deadline_ns - now_ns) / 1e9)

    def _listen(self, timeout_s: float) -> None:
        """Take in what the engines have to say, for at most `timeout_s`."""
        talking = {
            engine.channel.fileno(): engine
            for engine in self._engines()
            if not engine.channel.closed
        }
        ears = self._ears.fileno()
        readable, _, _ = select.select([ears, *talking], [], [], max(0.0, timeout_s))
        if ears in readable:
            with suppress(BlockingIOError):
                self._ears.recv(4096)
        for descriptor, engine in talking.items():
            if descriptor in readable:
                engine.receive()
            engine.channel.flush()

    def _frame(self, seq: int, began_ns: int, ended_ns: int) -> Frame:
        counters = self._counters
        lanes = tuple(
            runner.frame(ended_ns, counters.moved(lane) if counters else {}, self._rate_per_s)
            for lane, runner in self._lanes.items()
        )
        events, self._events = tuple(self._events), []
        return Frame(
            seq=seq,
            at_utc_s=time.time(),
            at_monotonic_s=ended_ns / 1e9,
            interval_s=(ended_ns - began_ns) / 1e9,
            elapsed_s=self._elapsed_s(ended_ns),
            lanes=lanes,
            events=events,
        )

    def _elapsed_s(self, now_ns: int) -> float:
        from_ns = self._measured_from_ns
        return 0.0 if from_ns is None else max(0.0, (now_ns - from_ns) / 1e9)

    def _note(self, lane: str | None, text: str) -> None:
        self._events.append(Event(at_utc_s=time.time(), lane=lane, text=text))

    def _engines(self) -> list[Engine]:
        return [engine for lane in self._lanes.values() for engine in lane.engines]

    @property
    def warm(self) -> dict[str, dict[Role, Counted]]:
        """By lane and role, the operations that count as warm-up: what the servers did and no result shows."""
        return {lane: dict(runner.warm) for lane, runner in self._lanes.items()}

    @property
    def shards(self) -> dict[str, list[Sides]]:
        """By lane, what telemon and each node of its cluster counted, once the race is over."""
        found = {}
        for lane, runner in self._lanes.items():
            nodes = self._counters.nodes(lane) if self._counters else {}
            ours = runner.shards
            found[lane] = [
                Sides(address, ours.get(address, Shard()), nodes[address])
                for address in sorted(nodes)
            ]
        return found

    @property
    def doubts(self) -> dict[str, tuple[str, ...]]:
        """By lane, why what its servers counted need not be all that they did: one went down, another took over."""
        return {lane: self._counters.doubts(lane) if self._counters else () for lane in self._lanes}

    @property
    def versions(self) -> dict[str, dict[int, int]]:
        """By lane, the last acknowledged version of each car, when the race keeps a ledger."""
        return {lane: runner.versions for lane, runner in self._lanes.items()}

    def engine_pids(self) -> dict[str, int]:
        """The engine processes by name."""
        return {engine.name: engine.pid for engine in self._engines()}
