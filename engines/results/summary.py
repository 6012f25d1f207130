"""What a race came to: the totals of its frames, and the object that a program reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from engines import __version__
from engines.config.race_config import RaceConfig
from engines.errors import RaceError
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import Event, Frame, LaneFrame
from engines.metrics.stats import CacheStats, IntervalStats, RoleStats
from engines.metrics.totals import LaneTotals
from engines.model.controls import Release, describe
from engines.model.lanes import LaneInfo
from engines.model.roles import ROLES, Role
from engines.model.server_facts import servers_of, shared_servers
from engines.results.caveats import comparison_caveats
from engines.results.fairness import fairness
from engines.results.offered_load import OfferedLoad, offered_load
from engines.results.reconciliation import Reconciliation, reconcile
from engines.results.result_json import (
    client_json,
    heat_json,
    lane_json,
    offered_load_json,
    range_json,
    reconciliation_json,
    timestamp,
)
from engines.results.rounds import HeatRounds
from engines.results.run_counts import RunCounts
from engines.source import SourceInfo

SCHEMA = 1
"""Version of the result; more keys may come without a new one."""

CHANGES_KEPT = 200
"""How many changes while racing a result holds, so that an hour of pressed keys does not fill the memory."""


@dataclass(frozen=True, slots=True)
class LoadChange:
    """What was asked of the race while it ran, and when: `elapsed_s` is the measured time then."""

    at_utc_s: float
    elapsed_s: float
    text: str


class Summary:
    """Totals of a race. Holds sums only: as large after an hour as after a minute.

    `facts` is what else is known of where and how it ran, for the result's `fairness`; its `notes`, a list of
    sentences, are what must be said beside the numbers.
    """

    def __init__(
        self, settings: RaceConfig, lane_infos: Iterable[LaneInfo], facts: Mapping[str, object]
    ) -> None:
        self.settings = settings
        self.lane_infos = tuple(lane_infos)
        self.facts = dict(facts)
        self.duration_s = 0.0
        """The measured time so far; of heats, that of the longest."""
        self.rounds = HeatRounds()
        self.changes: list[LoadChange] = []
        self.changes_left_out = 0
        self._load_altered = False
        """Whether no single rate was offered."""
        self.reconciliations: dict[str, Reconciliation] = {}
        """By lane, once the race is over (`reconcile_with_servers`)."""
        self._totals = {lane_info.lane: LaneTotals() for lane_info in self.lane_infos}
        self._run_counts = {lane_info.lane: RunCounts() for lane_info in self.lane_infos}
        self._started_at_s: float | None = None

    def restarted(self) -> Self:
        """A summary of what comes from now on. What was asked of the race, and what must be reconciled with the
        servers in the end, is that of the whole race all the same."""
        fresh = type(self)(self.settings, self.lane_infos, self.facts)
        fresh.changes, fresh.changes_left_out = self.changes, self.changes_left_out
        fresh._load_altered = self._load_altered
        fresh._run_counts = self._run_counts
        return fresh

    def add(self, frame: Frame) -> None:
        """Count a frame. What happened while warming counts for nothing but `unanswered`."""
        if self._started_at_s is None:
            self._started_at_s = frame.at_utc_s - frame.interval_s
        for lane in frame.lanes:
            self._totals[lane.lane].add(lane, frame.interval_s, measured=frame.elapsed_s > 0)
            self._run_counts[lane.lane].add(lane)
            if frame.elapsed_s > 0:
                self.rounds.add(lane, frame.interval_s)
        # Between heats the clock of the race goes back to the start of the next.
        elapsed_s = self.rounds.longest_s if self.settings.heats else frame.elapsed_s
        self.duration_s = max(self.duration_s, elapsed_s)
        for event in frame.events:
            if event.lane is None:
                self._note(event, frame.elapsed_s)

    def _note(self, event: Event, elapsed_s: float) -> None:
        self._load_altered = self._load_altered or event.alters_load
        if len(self.changes) < CHANGES_KEPT:
            self.changes.append(LoadChange(event.at_utc_s, elapsed_s, event.text))
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
        """Compare the counts of the whole race with the servers' counters. Call it after the last frame."""
        nothing = IntervalStats(RoleStats(), CacheStats())
        sharing = {lane: names for names in self.shared for lane in names}
        for lane, total in self._totals.items():
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
    def shared(self) -> list[list[str]]:
        """The lanes that share a server: a list for each server that has more than one."""
        return shared_servers(servers_of(self.facts))

    def lanes(self) -> tuple[LaneFrame, ...]:
        """The whole race as if it were one interval, in the order of the entrants."""
        return tuple(total.frame(lane) for lane, total in self._totals.items())

    def offered_loads(self, lane: str) -> dict[str, OfferedLoad]:
        """By role, what an open loop offered to a lane and what became of it; empty for a closed loop."""
        total = self._totals[lane]
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
        """The lanes that have not acknowledged a single operation, not even while warming."""
        return tuple(lane for lane, total in self._totals.items() if not total.answered)

    @property
    def separate_durations_s(self) -> dict[str, float]:
        """How long each lane was measured, where lanes left the start line one by one; else empty."""
        alone = {describe(Release(lane)) for lane in self._totals}
        if len(alone) < 2 or not any(change.text in alone for change in self.changes):
            return {}
        return {
            lane: max(total.write.interval_s, total.read.interval_s)
            for lane, total in self._totals.items()
        }

    def notes(self) -> tuple[str, ...]:
        """What must be said beside the numbers, a sentence each."""
        common = [str(note) for note in _listed(self.facts.get("notes"))]
        notes = list(common)
        for lane_info in self.lane_infos:
            # What holds for all lanes is among the facts' notes, and said once.
            notes += [f"{lane_info.lane}: {note}" for note in lane_info.notes if note not in common]
        notes += comparison_caveats(self.facts, self.settings)
        if self.separate_durations_s:
            times = ", ".join(
                f"{lane} {time_s:.1f} s" for lane, time_s in self.separate_durations_s.items()
            )
            notes.append(
                f"the lanes were released one by one and measured at times of their own: {times}; their rates compare, "
                "their totals only as far as these times are equal"
            )
        for lane, total in self._totals.items():
            done = total.frame(lane)
            client = done.client
            if client.client_bound:
                notes.append(
                    f"{lane}: client-bound ({client.bound_by}): telemon and not the servers may be what limits it"
                )
            if waits := _waits(done):
                notes.append(
                    f"{lane}: short of processors: telemon had to wait for one, {' and '.join(waits)}: latencies say "
                    "as much of this machine as of the servers"
                )
            if total.overloaded_s:
                worst = max(total.backlog_max.values(), default=0)
                notes.append(
                    f"{lane}: overloaded, it did less than was offered: up to {worst:,} operations were due and had "
                    "not begun; its response times grow with the length of the race"
                )
        return tuple(dict.fromkeys(notes))

    def result(self) -> dict[str, object]:
        """The object that `telemon run --format json` prints."""
        return {
            "schema": SCHEMA,
            "telemon": __version__,
            "started_at": timestamp(self._started_at_s or 0.0),
            "duration_s": round(self.duration_s, 3),
            "warmup_s": self.settings.warmup_s,
            "settings": self.settings.to_json(),
            "changes": [
                {
                    "at": timestamp(change.at_utc_s),
                    "elapsed_s": round(change.elapsed_s, 3),
                    "text": change.text,
                }
                for change in self.changes
            ],
            "changes_left_out": self.changes_left_out,
            "fairness": {
                **fairness(self.facts, self.settings),
                "notes": list(self.notes()),
            },
            "heats": self._heats(),
            "lanes": [
                self._lane(lane_info, lane)
                for lane_info, lane in zip(self.lane_infos, self.lanes(), strict=True)
            ],
        }

    def _lane(self, lane_info: LaneInfo, lane: LaneFrame) -> dict[str, object]:
        total = self._totals[lane.lane]
        shown = lane_json(lane)
        for role in ROLES:
            work = shown[role]
            assert isinstance(work, dict)
            overhead_us = lane_info.overhead_us.get(role)
            work["floor_us"] = None if overhead_us is None else round(overhead_us, 1)
        found = self.reconciliations.get(lane.lane)
        return {
            "id": lane.lane,
            "title": lane_info.title,
            "approach": lane_info.approach,
            **shown,
            "pace": self._pace(lane),
            "heats": self._rounds_of(lane.lane),
            "client": {
                **client_json(lane.client),
                "client_bound_share": round(total.client_bound_share, 3),
            },
            "reconciliation": None if found is None else reconciliation_json(found),
            "server": {
                "product": lane_info.product,
                "version": lane_info.version,
                "durability": lane_info.durability,
                "notes": list(lane_info.notes),
                "counters": dict(lane.server),
            },
        }

    def _pace(self, lane: LaneFrame) -> dict[str, object] | None:
        offered_loads = self.offered_loads(lane.lane)
        if not offered_loads:
            return None
        total = self._totals[lane.lane]
        return {
            **{role: offered_load_json(each) for role, each in offered_loads.items()},
            "late": lane.late,
            "overloaded": lane.overloaded,
            "overloaded_s": round(total.overloaded_s, 3),
        }

    def _heats(self) -> dict[str, object] | None:
        if not self.settings.heats:
            return None
        return {
            "rounds": self.settings.rounds,
            "order": [{"round": number, "lane": lane} for number, lane in self.rounds.order],
        }

    def _rounds_of(self, lane: str) -> dict[str, object] | None:
        if not self.settings.heats:
            return None
        return {
            "rounds": [heat_json(number, frame) for number, frame in self.rounds.of(lane).items()],
            "spread": {
                role: {name: range_json(spread) for name, spread in figures.items()}
                for role, figures in self.rounds.spread(lane).items()
            },
        }


def _waits(lane: LaneFrame) -> list[str]:
    """How long telemon itself waited for a processor, as far as that is a good part of what was measured."""
    waits = []
    for role, work in lane.roles:
        wait_us = work.scheduling_delay.mean_us
        if work.cpu_contention and wait_us is not None:
            waits.append(
                f"on average {wait_us:,.0f} us in a {role} of {work.service.mean_us:,.0f} us"
            )
    if lane.client.cpu_contention:
        p99_us = lane.client.loop_lag.percentile_us(99)
        waits.append(f"so that replies waited up to {p99_us / 1000:.1f} ms (p99) for it")
    return waits


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
