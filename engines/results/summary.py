"""The result of a race: totals of its frames, changes of load and caveats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from engines.config.race_config import RaceConfig
from engines.errors import RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, Frame, LaneFrame
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats
from engines.metrics.totals import LaneTotals
from engines.model.caveats import UNTRUE, Caveat, LaneNote, SeparateReleases
from engines.model.controls import Control, Release, changes_load, describe
from engines.model.deaths import Death
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LaneInfo
from engines.model.read_back import CacheLifetimes, ReadBack
from engines.model.roles import Role
from engines.model.server_facts import shared_servers
from engines.results.caveat_text import caveat_sentences
from engines.results.caveats import closing_caveats, comparison_caveats, lane_caveats
from engines.results.offered_load import OfferedLoad, offered_load
from engines.results.reconciliation import Reconciliation, reconcile
from engines.results.rounds import HeatRounds
from engines.results.run_counts import RunCounts
from engines.source import SourceInfo

CHANGES_KEPT = 200
"""The largest number of changes in a result. It limits the memory that a long race with many controls needs."""


@dataclass(frozen=True, slots=True)
class LoadChange:
    """A control that was applied while the race ran. `elapsed_s` is the measured time at that moment.

    `control` is None for another event of the whole race, which a frame source may have; `note` is its text.
    """

    at_utc_s: float
    elapsed_s: float
    control: Control | None
    note: str = ""

    @property
    def text(self) -> str:
        """The change in words."""
        return self.note if self.control is None else describe(self.control)


@dataclass(frozen=True, slots=True)
class DeathInRace:
    """The death of an engine process or private server. `elapsed_s` is the measured time when it was noticed."""

    death: Death
    elapsed_s: float


class Summary:
    """Totals of a race. Holds sums only, so its size does not grow with the duration."""

    def __init__(
        self, settings: RaceConfig, lane_infos: Iterable[LaneInfo], environment: RaceEnvironment
    ) -> None:
        self.settings = settings
        self.lane_infos = tuple(lane_infos)
        self.environment = environment
        self.duration_s = 0.0
        """The measured time so far; of heats, that of the longest."""
        self.rounds = HeatRounds()
        self.changes: list[LoadChange] = []
        self.changes_left_out = 0
        self.deaths: list[DeathInRace] = []
        """The engine processes and private servers that died unasked, the first `CHANGES_KEPT` of them."""
        self._load_altered = False
        """Whether the offered load was changed, so that there is no single offered rate."""
        self.reconciliations: dict[str, Reconciliation] = {}
        """By lane, after `reconcile_with_servers`."""
        self._closing = ClosingCounts()
        """What is known since `reconcile_with_servers`."""
        self.totals = {lane_info.lane: LaneTotals() for lane_info in self.lane_infos}
        self._run_counts = {lane_info.lane: RunCounts() for lane_info in self.lane_infos}
        self.started_at_s: float | None = None

    def restarted(self) -> Self:
        """Return a summary whose totals start from zero.

        It keeps the changes, the deaths, which roles had a success, and the counts of the whole race that are
        reconciled with the servers' counters.
        """
        fresh = type(self)(self.settings, self.lane_infos, self.environment)
        fresh.changes, fresh.changes_left_out = self.changes, self.changes_left_out
        fresh.deaths = self.deaths
        fresh._load_altered = self._load_altered
        fresh._run_counts = self._run_counts
        for lane, total in fresh.totals.items():
            total.answered_roles = self.totals[lane].answered_roles
        return fresh

    def add(self, frame: Frame) -> None:
        """Add a frame to the totals. A frame of the warm-up counts only for who answered and for reconciliation."""
        if self.started_at_s is None:
            self.started_at_s = frame.at_utc_s - frame.interval_s
        for lane in frame.lanes:
            self.totals[lane.lane].add(lane, frame.interval_s, measured=frame.elapsed_s > 0)
            self._run_counts[lane.lane].add(lane)
            if frame.elapsed_s > 0:
                self.rounds.add(lane, frame.interval_s)
        # Between heats the clock of the race goes back to the start of the next.
        elapsed_s = self.rounds.longest_s if self.settings.heats else frame.elapsed_s
        self.duration_s = max(self.duration_s, elapsed_s)
        for event in frame.events:
            if event.lane is None:
                self._note(event, frame.elapsed_s)
            if event.death is not None and len(self.deaths) < CHANGES_KEPT:
                self.deaths.append(DeathInRace(event.death, frame.elapsed_s))

    def _note(self, event: Event, elapsed_s: float) -> None:
        control = event.control
        self._load_altered = self._load_altered or (control is not None and changes_load(control))
        if len(self.changes) < CHANGES_KEPT:
            note = event.text if control is None else ""
            self.changes.append(LoadChange(event.at_utc_s, elapsed_s, control, note))
        else:
            self.changes_left_out += 1

    # A consumer of `engines.pipeline.run_pipeline`.

    def start(self, _source: SourceInfo) -> None:
        """Do nothing: the summary was created with the lanes of the source and what is known of its environment."""

    def frame(self, frame: Frame) -> None:
        """Count a frame, like `add`."""
        self.add(frame)

    def finish(self, closing: ClosingCounts, _error: RaceError | None) -> None:
        """Compare with the servers' counters, also after a race that an error ended early."""
        self.reconcile_with_servers(closing)

    def reconcile_with_servers(self, closing: ClosingCounts) -> None:
        """Compare the counts of the whole race with the servers' counters, and take over which rows were read back.

        Call it after the last frame.
        """
        self._closing = closing
        nothing = IntervalStats(RoleStats(), CacheStats())
        sharing = {lane: names for names in self.shared for lane in names}
        for lane, total in self.totals.items():
            roles = closing.warm.get(lane, {})
            write, read = roles.get("write", nothing), roles.get("read", nothing)
            every = self._run_counts[lane].total(write.work, read.work, read.cache)
            self.reconciliations[lane] = reconcile(
                lane,
                self.settings.preset,
                *every,
                total.server,
                sharing.get(lane, ()),
                closing.counter_caveats.get(lane, ()),
                closing.node_comparisons.get(lane, ()),
            )

    @property
    def read_backs(self) -> Mapping[str, ReadBack]:
        """Return what the servers hold of acknowledged rows, by lane with writers; empty before the end."""
        return self._closing.read_backs

    @property
    def lifetimes(self) -> Mapping[str, CacheLifetimes]:
        """Return what a cache says of the times to live of its keys, by lane with a cache; empty before the end."""
        return self._closing.lifetimes

    @property
    def shared(self) -> list[list[str]]:
        """For each server that several lanes use, the list of these lanes."""
        return shared_servers(self.environment.servers)

    def lanes(self) -> tuple[LaneFrame, ...]:
        """Return the whole race as if it were one interval, in the order of `lane_infos`."""
        return tuple(total.frame(lane) for lane, total in self.totals.items())

    def offered_loads(self, lane: str) -> dict[str, OfferedLoad]:
        """Return, by role, the load that an open loop offered to a lane and achieved; empty for a closed loop."""
        total = self.totals[lane]
        works: dict[Role, RoleStats] = {"write": total.write.work(), "read": total.read.work()}
        settings = self.settings
        rate = None
        if settings.mode == "pace" and not self._load_altered:
            rate = settings.rate_per_s
        connections = settings.connections
        heats = len(self.rounds.of(lane)) or 1
        offered_s = None if settings.duration_s is None else settings.duration_s * heats
        backlog, longest = total.backlog, total.backlog_max
        return {
            role: offered_load(work, rate, backlog.get(role, 0), longest.get(role, 0), offered_s)
            for role, work in works.items()
            if connections[role] and (work.response is not None or total.backlog_max)
        }

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The lanes that acknowledged no operation, not even in the warm-up."""
        return tuple(lane for lane, total in self.totals.items() if not total.answered)

    @property
    def unanswered_roles(self) -> tuple[tuple[str, Role], ...]:
        """The roles that raced and had no success, not even in the warm-up, of the lanes whose other role had one."""
        return tuple(
            (lane, role)
            for lane, total in self.totals.items()
            if total.answered
            for role, work in total.frame(lane).roles
            if work.interval_s and role not in total.answered_roles
        )

    @property
    def separate_durations_s(self) -> dict[str, float]:
        """By lane, its measured time in seconds if lanes were released one by one; otherwise empty."""
        one_by_one = any(
            isinstance(change.control, Release) and change.control.lane in self.totals
            for change in self.changes
        )
        if len(self.totals) < 2 or not one_by_one:
            return {}
        return {
            lane: max(total.write.interval_s, total.read.interval_s)
            for lane, total in self.totals.items()
        }

    def caveats(self) -> tuple[Caveat, ...]:
        """Return everything that limits how far the numbers can be compared or trusted, so far as it is known now."""
        caveats: list[Caveat] = [*self.environment.caveats, *self._closing.caveats]
        for lane_info in self.lane_infos:
            caveats += [LaneNote(lane_info.lane, note) for note in lane_info.notes]
        caveats += comparison_caveats(self.environment, self.settings)
        if durations_s := self.separate_durations_s:
            caveats.append(SeparateReleases(durations_s))
        for lane, total in self.totals.items():
            caveats += lane_caveats(total, total.frame(lane))
        caveats += closing_caveats(self.reconciliations, self._closing)
        return tuple(caveats)

    @property
    def untrue(self) -> tuple[Caveat, ...]:
        """Return the caveats that contradict what the result claims, for example acknowledged rows that are lost."""
        return tuple(
            caveat
            for caveat in closing_caveats(self.reconciliations, self._closing)
            if isinstance(caveat, UNTRUE)
        )

    def notes(self) -> tuple[str, ...]:
        """Return the caveats as sentences."""
        return caveat_sentences(self.caveats())
