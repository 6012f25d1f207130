"""A race: starts the servers and the engine processes, turns what they report into frames, passes controls down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from engines.config import race_config as config
from engines.errors import RaceError
from engines.ipc.schedule import Schedule
from engines.metrics.frame import Frame
from engines.metrics.node_counts import NodeComparison, NodeCounts
from engines.metrics.stats import IntervalStats
from engines.model.controls import (
    Connections,
    Control,
    FlushCache,
    Rate,
    Release,
    describe,
)
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LaneInfo
from engines.model.roles import Role
from engines.provisioning import cache
from engines.race import servers as servers
from engines.race.control_queue import ControlQueue
from engines.race.engine_group import EngineGroup
from engines.race.event_log import EventBuffer
from engines.race.scheduler import LaneScheduler
from engines.race.servers import RaceServers
from engines.sandbox.sandbox import Sandbox

LATE_NS = 250_000_000
"""How long a frame waits for an engine that is late. What it reports later is in a later frame."""


class Race:
    """One race, from the servers' start to their end.

    ::

        with Race(settings, interval_s=1.0, narrate=print) as race:
            for frame in race.frames():
                ...

    Entering starts private servers for the lanes that are on no others, makes the tables and the hot cars there, and
    opens every connection; it raises RaceError (config.ConfigError for a setting that does not fit this machine) and
    leaves nothing behind when it fails. On servers that the settings name it makes no table and no car before it
    races; from a cache there it takes telemon's own keys away, and puts every hot car into it when that is to be
    filled. `stop` and `send` may be called from any thread and from a signal handler.
    """

    def __init__(
        self,
        settings: config.RaceConfig,
        *,
        interval_s: float = 1.0,
        on_progress: Callable[[str], None] = lambda _: None,
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
        self._narrate = on_progress
        self._rate_per_s = settings.rate_per_s if settings.mode == "pace" else None
        self._ledger = ledger
        self._exit = ExitStack()
        self._log = EventBuffer()
        self._inbox = ControlQueue()
        self._engine_group = EngineGroup(settings, self._log.note, self._inbox)
        self._lanes = self._engine_group.lanes
        self._line = LaneScheduler(settings, self._lanes, self._log.note, hold=hold)
        self._servers: RaceServers | None = None
        self._stop_sent = False
        self.sandbox = sandbox
        self.lane_infos: tuple[LaneInfo, ...] = ()
        self.environment = RaceEnvironment()
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
        self._exit.callback(self._inbox.close)
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
        if self.sandbox is None:
            self.sandbox = servers.start_private_servers(self._settings, self._narrate, self._exit)
        place = servers.make_ready(self._settings, self.sandbox, self._narrate, self._exit)
        self._servers = place
        self.environment = place.environment
        self._engine_group.assign(place, self._rate_per_s, ledger=self._ledger)
        self._narrate("connecting the lanes")
        self._engine_group.await_ready()
        self._narrate("measuring telemon's own share")
        overheads_us = self._engine_group.overheads_us()
        self.lane_infos = tuple(
            replace(lane_info, overhead_us=overheads_us[lane_info.lane])
            for lane_info in place.lane_infos
        )

    # ---------------------------------------------------------------- controls

    def stop(self) -> None:
        """End the race: operations under way are waited for, the last frame holds them."""
        self._inbox.stop()

    def send(self, control: Control) -> None:
        """Hand a control to the engines."""
        self._inbox.send(control)

    def _pass_down(self) -> None:
        for asked in self._inbox.controls():
            control = self._feasible(asked)
            if control is None:
                continue
            match control:
                case Release():
                    self._line.release(control)
                case FlushCache() if self._servers is not None:
                    at = self._servers
                    cache.flush_caches(at.endpoints.values(), at.private, self._log.note)
                case Rate(per_s):
                    self._rate_per_s = per_s
                    self._engine_group.tell(control)
                case _:
                    self._engine_group.tell(control)
            self._log.note(None, describe(control), control=control)
        if self._inbox.stop_requested and not self._stop_sent:
            self._stop_sent = True
            self._line.stop()

    def _feasible(self, control: Control) -> Control | None:
        """What can be done of what was asked for. Connections are held by processes: by each that there is one or more,
        and none by those that the race began without."""
        if not isinstance(control, Connections):
            return control
        processes = self._engine_group.processes(control.role)
        if processes:
            return replace(control, count=max(control.count, processes))
        name = "writers" if control.role == "write" else "readers"
        for lane in self._lanes:
            self._log.note(lane, f"no connections of {name}: the race began without any")
        return None

    # ---------------------------------------------------------------- frames

    def frames(self) -> Iterator[Frame]:
        """A frame per interval, as it ends. The last one holds what was still under way at the end."""
        schedule = self._line.go(self._interval_s)
        began_ns, seq, final = schedule.start_ns, 0, False
        while not final:
            end_ns = schedule.end_ns(seq)
            final = self._gather(seq, schedule)
            ended_ns = end_ns
            if final:
                if self._servers is not None:
                    self._servers.counters.read()
                ended_ns = self._ended_ns(began_ns)
            frame = self._frame(seq, began_ns, ended_ns)
            # Afterwards, so that the last of a heat is shown as what it is and not as the next one's warm-up.
            self._line.advance(end_ns)
            yield frame
            began_ns, seq = ended_ns, seq + 1

    def _gather(self, index: int, schedule: Schedule) -> bool:
        """Wait until every engine has reported interval `index`, or is late; whether that was the last there is."""
        end_ns = schedule.end_ns(index)
        # The end is waited for in one piece, however long the operations under way take.
        ending = schedule.stop_ns is not None and end_ns >= schedule.stop_ns
        runners = self._lanes.values()
        timeout_ns = 0
        while True:
            self._engine_group.listen(timeout_ns / 1e9)
            self._pass_down()
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

    def _ended_ns(self, began_ns: int) -> int:
        """When the last interval ended, which began at `began_ns`: with the last operation of any engine, also where
        that is heard of late; now, where no engine ended in order."""
        ended_ns = max(runner.ended_ns or 0 for runner in self._lanes.values())
        return ended_ns if ended_ns > began_ns else time.perf_counter_ns()

    def _frame(self, seq: int, began_ns: int, ended_ns: int) -> Frame:
        counters = self._servers.counters if self._servers is not None else None
        lanes = tuple(
            runner.frame(seq, ended_ns, counters.moved(lane) if counters else {}, self._rate_per_s)
            for lane, runner in self._lanes.items()
        )
        return Frame(
            seq=seq,
            # Whoever takes the frames may take them late.
            at_utc_s=time.time() - (time.perf_counter_ns() - ended_ns) / 1e9,
            at_monotonic_s=ended_ns / 1e9,
            interval_s=(ended_ns - began_ns) / 1e9,
            elapsed_s=self._line.elapsed_s(ended_ns),
            lanes=lanes,
            events=self._log.take(),
        )

    # ---------------------------------------------------------------- what is known afterwards

    @property
    def warm(self) -> dict[str, dict[Role, IntervalStats]]:
        """By lane and role, the operations that count as warm-up: what the servers did and no result shows."""
        return {lane: dict(runner.warm) for lane, runner in self._lanes.items()}

    @property
    def shards(self) -> dict[str, list[NodeComparison]]:
        """By lane, what telemon and each node of its cluster counted, once the race is over."""
        found = {}
        for lane, runner in self._lanes.items():
            nodes = self._servers.counters.nodes(lane) if self._servers else {}
            ours = runner.shards
            found[lane] = [
                NodeComparison(address, ours.get(address, NodeCounts()), nodes[address])
                for address in sorted(nodes)
            ]
        return found

    @property
    def counter_caveats(self) -> dict[str, tuple[str, ...]]:
        """By lane, why what its servers counted need not be all that they did: one went down, another took over."""
        return {
            lane: self._servers.counters.counter_caveats(lane) if self._servers else ()
            for lane in self._lanes
        }

    @property
    def versions(self) -> dict[str, dict[int, int]]:
        """By lane, the last acknowledged version of each car, when the race keeps a ledger."""
        return {lane: runner.versions for lane, runner in self._lanes.items()}

    def engine_pids(self) -> dict[str, int]:
        """The engine processes by name."""
        return {engine.name: engine.pid for engine in self._engine_group.engines}
