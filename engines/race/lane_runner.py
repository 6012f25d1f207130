"""One lane of a race: its engine processes, their reports, and the state of the lane."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from engines.backends.happy_eyeballs import answered
from engines.config import race_config as config
from engines.endpoints.credential_sources import CredentialSource
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import DOCTOR_HINT
from engines.ipc.messages import (
    EngineSpec,
    IntervalReport,
    ServerSharing,
    StartMeasuring,
    StartRun,
    Stop,
)
from engines.ipc.schedule import DRAIN_NS, Schedule
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.node_counts import NodeCounts
from engines.metrics.node_counts import merged as merge_node_counts
from engines.metrics.stats import IntervalStats
from engines.model.deaths import EngineDeath
from engines.model.lanes import LANES, SQL_PATHS, Product
from engines.model.roles import ROLES, Role
from engines.race.aggregate import lane_frame, merge_stats
from engines.race.engine_process import EngineProcess

VIOLATIONS_NOTED = 5
"""How many different violations of the protocol are noted per lane. A server that sends garbage keeps sending it."""

HANG_NS = 2_000_000_000
"""Time after its drain that an engine process may be silent before it is killed. A shorter time kills processes of a
busy machine that would still have reported."""

Reports = Mapping[Role, list[list[IntervalReport]]]
"""The reports of each engine process by role."""


class LaneRunner:
    """The engine processes of one lane, and the only owner of the state of that lane.

    Other classes read the state and change it by methods only: `start_run`, `release`, `start_heat`, `end_heat`,
    `stop`. `note` receives the events of the lane for the event log.
    """

    def __init__(self, lane: str, settings: config.RaceConfig, note: Callable[[str], None]) -> None:
        self.lane = lane
        self._settings = settings
        self._note = note
        self._connections = settings.connections
        self.engines: list[EngineProcess] = []
        self._state = LaneState.STARTING
        self._held = False
        self._heat = 0
        self._measure_from_ns = 0
        """End of the warm-up."""
        self._stop_ns: int | None = None
        """End of the run or of the current heat, None if it is not known."""
        self._comes_back = False
        """True if the lane returns to the start barrier then."""
        self._private = True
        self.warm: dict[Role, IntervalStats] = {role: merge_stats([], 0.0) for role in ROLES}
        """Operations that count as warm-up, since the start."""
        self.versions: dict[int, int] = {}
        """The last acknowledged version of each car, if `keep_versions` is set."""
        self._counted_deaths: list[EngineDeath] = []
        self._noted_deaths = 0
        self._violations: set[str] = set()
        """The violations of the protocol that are noted already."""

    def start(self) -> None:
        """Start the engine processes; `close` ends those that were started, also when this raises OSError."""
        for role, connections in self._connections.items():
            for process in range(min(self._settings.processes, connections)):
                secrets = self._credential_sources(role)
                self.engines.append(EngineProcess(self.lane, role, process, secrets))

    def _credential_sources(self, role: Role) -> list[CredentialSource]:
        """Return where the passwords of the servers come from to which the engine processes of a role connect."""
        endpoints = self._settings.endpoints.get(self.lane)
        found: list[CredentialSource | None] = []
        if endpoints is not None and endpoints.mysql is not None and self._connects("mysql", role):
            found.append(endpoints.mysql.secret)
        if endpoints is not None and endpoints.redis is not None and self._connects("redis", role):
            found.append(endpoints.redis.secret)
        return [source for source in found if source is not None]

    def _connects(self, product: Product, role: Role) -> bool:
        """Return whether the engine processes of a role connect to the lane's server of `product`."""
        lane = LANES[self.lane]
        if product == "mysql":
            return lane.path(role) in SQL_PATHS
        return bool(lane.redis_commands(role))

    def connecting(self, product: Product) -> int:
        """Return how many engine processes connect to the lane's server of `product`."""
        return sum(self._connects(product, engine.role) for engine in self.engines)

    def close(self) -> None:
        """End the engine processes."""
        for engine in self.engines:
            engine.channel.close()
        for engine in self.engines:
            engine.close()

    @property
    def node_counts(self) -> dict[str, NodeCounts]:
        """Return the counts of each Redis node. They are complete once the lane is over."""
        return merge_node_counts(engine.node_counts for engine in self.engines)

    def assign(
        self,
        endpoints: LaneEndpoints,
        rate_per_s: float | None,
        first_version: int,
        *,
        keep_versions: bool,
        private: bool,
        sharing: ServerSharing,
    ) -> None:
        """Send every engine process its share of the work. Versions of rows start at `first_version`.

        `private` says that the servers of the lane belong to the sandbox, `sharing` how many engine processes of all
        lanes connect to them.
        """
        self._private = private
        for role, connections in self._connections.items():
            engines = self.of(role)
            for process, engine in enumerate(engines):
                share, rest = divmod(connections, len(engines))
                engine.assign(
                    EngineSpec(
                        lane=self.lane,
                        role=role,
                        process=process,
                        processes=len(engines),
                        connections=share + (process < rest),
                        load=self._settings.load,
                        endpoints=endpoints,
                        rate_per_s=rate_per_s,
                        first_version=first_version,
                        keep_versions=keep_versions,
                        sharing=sharing,
                        answered=answered(),
                    )
                )

    def of(self, role: Role) -> list[EngineProcess]:
        """Return the engine processes of one role."""
        return [engine for engine in self.engines if engine.role == role]

    def tell(self, message: object) -> None:
        """Send a message to every engine process that is not over."""
        for engine in self.engines:
            engine.send(message)

    # ---------------------------------------------------------------- where the lane is

    @property
    def private(self) -> bool:
        """Return True if the servers of the lane belong to the sandbox."""
        return self._private

    @property
    def state(self) -> LaneState:
        """Return the state that the last frame shows."""
        return self._state

    @property
    def held(self) -> bool:
        """Return True while the lane waits at the start barrier, or warms up for it."""
        return self._held

    @property
    def heat(self) -> int:
        """Return the round of the last heat, from 1; 0 before the first one."""
        return self._heat

    def start_run(self, schedule: Schedule, *, held: bool) -> None:
        """Run by `schedule`. With `held`, wait at the start barrier after the warm-up."""
        self._held = held
        self._measure_from_ns = schedule.measure_from_ns
        self._stop_ns = schedule.stop_ns
        self.tell(StartRun(schedule, held))

    def release(self, at_ns: int) -> None:
        """Leave the start barrier at `at_ns`, measure for the duration, and end."""
        self._start_measuring(at_ns, at_ns, final=True)

    def start_heat(self, number: int, at_ns: int, measure_from_ns: int, *, final: bool) -> None:
        """Leave the start barrier at `at_ns` for the heat of round `number`.

        The lane warms up until `measure_from_ns`. It returns to the barrier after the duration, or ends if the heat is
        its `final` one.
        """
        self._heat = number
        self._start_measuring(at_ns, measure_from_ns, final=final)

    def end_heat(self) -> None:
        """Wait at the start barrier again, unless the finished heat was the final one."""
        self._held = self._comes_back

    def _start_measuring(self, at_ns: int, measure_from_ns: int, *, final: bool) -> None:
        duration_s = self._settings.duration_s
        stop_ns = None if duration_s is None else measure_from_ns + int(duration_s * 1e9)
        self._held = False
        self._measure_from_ns = measure_from_ns
        self._stop_ns = stop_ns
        self._comes_back = not final
        for engine in self.engines:
            engine.start_measuring(StartMeasuring(at_ns, measure_from_ns, stop_ns, final))

    def stop(self) -> None:
        """End in any state."""
        self._stop_ns = time.perf_counter_ns()
        self._comes_back = False
        self.tell(Stop())

    @property
    def heat_finished(self) -> bool:
        """Return True if every engine process has finished the heat or is over, and frames show the whole heat."""
        return all(
            engine.over or (engine.heat_finished and all(report.held for report in engine.reports))
            for engine in self.engines
        )

    @property
    def over(self) -> bool:
        """Return True if every engine process has ended or died."""
        return all(engine.over for engine in self.engines)

    def reported(self, index: int) -> bool:
        """Return True if every engine process has reported interval `index` or is over."""
        return all(
            engine.over or (engine.reports and engine.reports.last_index >= index)
            for engine in self.engines
        )

    def reported_after(self, index: int) -> bool:
        """Return True if there are reports for a frame after that of interval `index`."""
        return any(engine.reports.last_index > index for engine in self.engines)

    @property
    def ended_ns(self) -> int | None:
        """Return when the last engine process ended in order, in ns; None if none did."""
        ends_ns = [engine.ended_ns for engine in self.engines if engine.ended_ns is not None]
        return max(ends_ns, default=None)

    def give_up_on_hung(self, now_ns: int, listening_since_ns: int) -> None:
        """Kill engine processes that are silent long after their end.

        The time counts from `listening_since_ns` at the earliest: before, their reports may have been unread, or may
        have waited for room in their sockets.
        """
        if self._stop_ns is None:
            return
        if now_ns < max(self._stop_ns + DRAIN_NS, listening_since_ns) + HANG_NS:
            return
        for engine in self.engines:
            if not engine.over and not (self._comes_back and engine.heat_finished):
                engine.abandon()

    def frame(
        self, index: int, ended_ns: int, server: Mapping[str, int], rate_per_s: float | None
    ) -> LaneFrame:
        """Return what the engine processes reported up to interval `index` as a frame that ends at `ended_ns`."""
        reports: dict[Role, list[list[IntervalReport]]] = {role: [] for role in ROLES}
        for engine in self.engines:
            reports[engine.role].append(engine.reports.take(index))
            self.versions.update(engine.versions)
        for role, engines in reports.items():
            late = [report.warm for engine in engines for report in engine]
            self.warm[role] = merge_stats([self.warm[role], *late], 0.0)
        self._note_violations(reports)
        deaths = self._count_deaths()
        state = self._state_after(reports, warming=ended_ns <= self._measure_from_ns)
        if state is not self._state:
            self._note(self._describe_state(state, reports))
            self._state = state
        if state is LaneState.WARMING:
            for role, engines in reports.items():
                for engine, taken in zip(self.of(role), engines, strict=True):
                    engine.reports.carry_over(taken)
        return lane_frame(self.lane, state, reports, server, deaths, rate_per_s, self._heat)

    def _note_violations(self, reports: Reports) -> None:
        """Note what a server sent instead of a reply, each text once."""
        for engines in reports.values():
            for report in (report for engine in engines for report in engine):
                text = report.violation
                if text and text not in self._violations:
                    if len(self._violations) >= VIOLATIONS_NOTED:
                        return
                    self._violations.add(text)
                    self._note(text if self._private else f"{text}; {DOCTOR_HINT}")

    def _count_deaths(self) -> dict[Role, int]:
        """Return by role how many engine processes have died. Each is counted once, after its last report."""
        deaths: dict[Role, int] = {}
        for engine in self.engines:
            death = engine.death
            if death is not None and not engine.reports and death not in self._counted_deaths:
                self._counted_deaths.append(death)
                deaths[engine.role] = deaths.get(engine.role, 0) + 1
        return deaths

    def new_deaths(self) -> list[EngineDeath]:
        """Return the deaths that the frames since the last call have counted."""
        new = self._counted_deaths[self._noted_deaths :]
        self._noted_deaths = len(self._counted_deaths)
        return new

    def _state_after(self, reports: Reports, *, warming: bool) -> LaneState:
        every = [report for engines in reports.values() for engine in engines for report in engine]
        if self._counted_deaths:
            return LaneState.DOWN
        if self.over and not any(engine.reports for engine in self.engines):
            return LaneState.DONE
        # Before all that may be wrong: time in which it was not to race must not count as time in which it could not.
        if every and all(report.held for report in every):
            return LaneState.STARTING
        if any(report.paused for report in every):
            return LaneState.PAUSED
        if any(report.closed_connections for report in every):
            return LaneState.RECONNECTING
        if warming:
            return LaneState.WARMING
        return LaneState.RACING if every else self._state

    def _describe_state(self, state: LaneState, reports: Reports) -> str:
        """Return a change of state in words for the event log."""
        if state is LaneState.RECONNECTING:
            troubles = (
                report.problem
                for engines in reports.values()
                for engine in engines
                for report in engine
                if report.problem
            )
            text = f"reconnecting: {next(troubles, 'a connection was lost')}"
            return text if self._private else f"{text}; {DOCTOR_HINT}"
        if state is LaneState.STARTING:
            return (
                f"its heat of round {self._heat} is over"
                if self._heat
                else "warm, at the start line"
            )
        if self._state is LaneState.RECONNECTING and state is LaneState.RACING:
            return "racing again"
        return str(state)


def ns_from_now(delay_s: float) -> int:
    """Return the time of the machine-wide clock in `delay_s` seconds, in ns."""
    return time.perf_counter_ns() + int(delay_s * 1e9)
