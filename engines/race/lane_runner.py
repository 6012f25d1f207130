"""A lane in a race: its engine processes, what they reported, and what state that makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from engines.config import race_config as config
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import DOCTOR_HINT
from engines.ipc.messages import EngineSpec, IntervalReport, StartMeasuring, Stop
from engines.ipc.schedule import DRAIN_NS
from engines.metrics.frame import LaneFrame, LaneState
from engines.metrics.node_counts import NodeCounts
from engines.metrics.node_counts import merged as merge_node_counts
from engines.metrics.stats import IntervalStats
from engines.model.roles import ROLES, Role
from engines.race.aggregate import early_part, lane_frame, merge_stats
from engines.race.engine_process import EngineProcess

HANG_NS = 2_000_000_000
"""How long after its drain an engine may keep silent, while somebody listens, before it is given up."""

Reports = Mapping[Role, list[list[IntervalReport]]]
"""By role, what each engine reported."""


class LaneRunner:
    """The engine processes of one lane, and what is known of it. `note` takes what happens, for the event log."""

    def __init__(self, lane: str, settings: config.RaceConfig, note: Callable[[str], None]) -> None:
        self.lane = lane
        self._settings = settings
        self._note = note
        self._connections = settings.connections
        self.engines: list[EngineProcess] = []
        self.state = LaneState.STARTING
        self.held = False
        """Whether it waits at the start line."""
        self.heat = 0
        """The round of its last heat."""
        self.measure_from_ns = 0
        """Up to when it is warming."""
        self.stop_ns: int | None = None
        """When it ends, or the heat that it is in, where that is known."""
        self._comes_back = False
        """Whether it goes back to the start line then."""
        self.private = True
        """Whether its servers are telemon's own."""
        self.warm: dict[Role, IntervalStats] = {role: merge_stats([], 0.0) for role in ROLES}
        """The operations that count as warm-up, since the start."""
        self.versions: dict[int, int] = {}
        """The last acknowledged version of each car, if `keep_versions` is set."""
        self._counted_deaths: set[str] = set()

    def start(self) -> None:
        """Start the engine processes; `close` ends those that were started, also when this raises OSError."""
        for role, connections in self._connections.items():
            for process in range(min(self._settings.processes, connections)):
                self.engines.append(EngineProcess(self.lane, role, process))

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
    ) -> None:
        """Tell every engine its share of the work. Rows are numbered from `first_version` on."""
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
                    )
                )

    def of(self, role: Role) -> list[EngineProcess]:
        """The engines of one role."""
        return [engine for engine in self.engines if engine.role == role]

    def tell(self, message: object) -> None:
        """Send a message to every engine that still runs."""
        for engine in self.engines:
            if not engine.over:
                engine.channel.send(message)

    def release(self, at_ns: int, measure_from_ns: int, *, final: bool = True) -> None:
        """Leave the start line at `at_ns` and race for the duration; come back to it afterwards unless `final`."""
        duration_s = self._settings.duration_s
        stop_ns = None if duration_s is None else measure_from_ns + int(duration_s * 1e9)
        self.held = False
        self.measure_from_ns = measure_from_ns
        self.stop_ns = stop_ns
        self._comes_back = not final
        for engine in self.engines:
            engine.heat_finished = False
        self.tell(StartMeasuring(at_ns, measure_from_ns, stop_ns, final))

    def stop(self) -> None:
        """End, wherever it is."""
        self.stop_ns = time.perf_counter_ns()
        self._comes_back = False
        self.tell(Stop())

    @property
    def heat_finished(self) -> bool:
        """Whether every engine is back at the start line, or over, and every frame of its heat has been made."""
        return all(
            engine.over or (engine.heat_finished and all(report.held for report in engine.reports))
            for engine in self.engines
        )

    @property
    def over(self) -> bool:
        return all(engine.over for engine in self.engines)

    def reported(self, index: int) -> bool:
        """Whether every engine that still runs has reported interval `index`."""
        return all(
            engine.over or (engine.reports and engine.reports[-1].index >= index)
            for engine in self.engines
        )

    def reported_after(self, index: int) -> bool:
        """Whether there is something for a later frame than that of interval `index`."""
        return any(engine.reports and engine.reports[-1].index > index for engine in self.engines)

    @property
    def ended_ns(self) -> int | None:
        """When the last of the engines ended that ended in order; None when none did."""
        ends_ns = [engine.ended_ns for engine in self.engines if engine.ended_ns is not None]
        return max(ends_ns, default=None)

    def give_up_on_hung(self, now_ns: int, listening_since_ns: int) -> None:
        """Give up on engines that keep silent long after their end, if somebody has listened all the time: what they
        have said may still be unread, or may not have found room in their sockets."""
        if self.stop_ns is None:
            return
        if now_ns < max(self.stop_ns + DRAIN_NS, listening_since_ns) + HANG_NS:
            return
        for engine in self.engines:
            if not engine.over and not (self._comes_back and engine.heat_finished):
                engine.abandon("did not end when told to")

    def frame(
        self, index: int, ended_ns: int, server: Mapping[str, int], rate_per_s: float | None
    ) -> LaneFrame:
        """What the engines reported since the last frame up to interval `index`, as a frame that ends at `ended_ns`."""
        reports: dict[Role, list[list[IntervalReport]]] = {role: [] for role in ROLES}
        for engine in self.engines:
            reports[engine.role].append(engine.take(index))
            self.versions.update(engine.versions)
        for role, engines in reports.items():
            late = [report.warm for engine in engines for report in engine]
            self.warm[role] = merge_stats([self.warm[role], *late], 0.0)
        deaths = self._count_deaths()
        state = self._state_after(reports, warming=ended_ns <= self.measure_from_ns)
        if state is not self.state:
            self._note(self._in_words(state, reports))
            self.state = state
        if state is LaneState.WARMING:
            self._carry_over(reports)
        return lane_frame(self.lane, state, reports, server, deaths, rate_per_s, self.heat)

    def _carry_over(self, reports: Reports) -> None:
        """Keep for the next frame what was measured already, in one that shows the warm-up."""
        for role, engines in reports.items():
            for engine, taken in zip(self.of(role), engines, strict=True):
                early = [part for report in taken if (part := early_part(report)) is not None]
                engine.reports = [*early, *engine.reports]

    def _count_deaths(self) -> dict[Role, int]:
        """Count, once each and by role, the engines that have died."""
        deaths: dict[Role, int] = {}
        for engine in self.engines:
            if engine.died and not engine.reports and engine.name not in self._counted_deaths:
                self._counted_deaths.add(engine.name)
                deaths[engine.role] = deaths.get(engine.role, 0) + 1
                self._note(f"engine {engine.name} died ({engine.died})")
        return deaths

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
        return LaneState.RACING if every else self.state

    def _in_words(self, state: LaneState, reports: Reports) -> str:
        """A change of state, for the event log."""
        if state is LaneState.RECONNECTING:
            troubles = (
                report.problem
                for engines in reports.values()
                for engine in engines
                for report in engine
                if report.problem
            )
            text = f"reconnecting: {next(troubles, 'a connection was lost')}"
            return text if self.private else f"{text}; {DOCTOR_HINT}"
        if state is LaneState.STARTING:
            return (
                f"its heat of round {self.heat} is over" if self.heat else "warm, at the start line"
            )
        if self.state is LaneState.RECONNECTING and state is LaneState.RACING:
            return "racing again"
        return str(state)


def ns_from_now(delay_s: float) -> int:
    """A moment of the machine-wide clock, in ns, `delay_s` from now."""
    return time.perf_counter_ns() + int(delay_s * 1e9)
