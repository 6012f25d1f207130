"""Finds the caveats of a race: what would mislead a reader who compares the lanes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engines.config.race_config import RaceConfig
from engines.metrics.closing_counts import ClosingCounts
from engines.metrics.frame import LaneFrame
from engines.metrics.totals import LaneTotals
from engines.model.caveats import (
    CacheNotReset,
    Caveat,
    ClientBound,
    CommitsShort,
    CpuContention,
    DifferentDatabases,
    DuplicateFillsPerProcess,
    DurabilityNotReadAgain,
    KeysEvicted,
    NoSuccess,
    NotReadBack,
    OperationDelay,
    Overloaded,
    ProcessorLimit,
    RowsLost,
    ServerPlace,
    SettingChanged,
    SharedMachine,
    SharedServer,
    TtlNotKept,
    TtlNotRead,
    UnevenRoundTrips,
    UnevenTls,
    WeakDurability,
    WrongContent,
)
from engines.model.environment import RaceEnvironment
from engines.model.lanes import LANES
from engines.model.server_facts import (
    APPENDFSYNC,
    APPENDONLY,
    ENGINE,
    FLUSH,
    LOG_BIN,
    SQL_LOG_BIN,
    SYNC_BINLOG,
    UNREADABLE,
    ServerFacts,
    TlsMode,
    shared_servers,
)
from engines.results.reconciliation import Reconciliation

FAR_US = 500.0
"""Round trips whose difference is above this and above half of the shorter one are reported. A lower value reports
differences between servers of one site."""


EVICTED = "evicted_keys"
"""Counter of INFO: keys that a Redis removed to stay below its maxmemory."""


def comparison_caveats(environment: RaceEnvironment, settings: RaceConfig) -> Iterator[Caveat]:
    """Return the caveats that follow from the environment and the settings, before any result is known.

    A shared server that `environment.caveats` names already is not named again.
    """
    lanes = environment.servers
    known = {caveat.lanes for caveat in environment.caveats if isinstance(caveat, SharedServer)}
    for names in shared_servers(lanes):
        if tuple(names) not in known:
            yield SharedServer(tuple(names))
    yield from _uneven_servers(lanes)
    for lane, servers in lanes.items():
        for server in servers:
            if server.role != "cache":
                yield from _weak_durability(lane, server.durability)
    cached = any(LANES[lane].has_cache for lane in settings.lanes)
    if cached and settings.processes > 1:
        yield DuplicateFillsPerProcess(settings.processes)
    if settings.heats and settings.rounds > 1 and cached:
        yield CacheNotReset(settings.cache)
    machine = environment.machine
    cpus = None if machine is None else machine.cpus
    if len(environment.private_lanes) > 1 and not settings.heats:
        yield SharedMachine(cpus)
    limit = None if machine is None else machine.usable_cpus
    if limit is not None and cpus is not None and limit < cpus:
        yield ProcessorLimit(limit, cpus)


def lane_caveats(total: LaneTotals, frame: LaneFrame) -> Iterator[Caveat]:
    """Return the caveats that follow from the result of a lane. `frame` holds its whole race, as made of `total`."""
    lane, client = frame.lane, frame.client
    if client.client_bound:
        yield ClientBound(lane, client.bound_by)
    operations = tuple(_operation_delays(frame))
    lag_us = client.loop_lag.percentile_us(99) if client.cpu_contention else None
    if operations or lag_us is not None:
        yield CpuContention(lane, operations, lag_us)
    if total.overloaded_s:
        yield Overloaded(lane, max(total.backlog_max.values(), default=0))
    for role, work in frame.roles:
        # A role without connections measures no time. Reads with wrong content have a caveat of their own.
        if work.interval_s and not work.operations:
            yield NoSuccess(lane, role, role in total.answered_roles)
    if frame.read.wrong_content:
        yield WrongContent(lane, frame.read.wrong_content)
    evicted = total.server.get(EVICTED, 0)
    if evicted:
        yield KeysEvicted(lane, evicted)


def closing_caveats(
    reconciliations: Mapping[str, Reconciliation], closing: ClosingCounts
) -> Iterator[Caveat]:
    """Return the caveats that follow from what was compared with the servers after the last frame."""
    for lane, reconciliation in reconciliations.items():
        short = reconciliation.uncommitted
        if short is not None:
            yield CommitsShort(lane, short.ours, short.theirs)
    for lane, found in closing.read_backs.items():
        if found.lost:
            yield RowsLost(
                lane, found.checked, found.missing, found.older, found.different, found.examples
            )
        if found.unread:
            yield NotReadBack(lane, found.unread, found.problem)
    for lane, changes in closing.setting_changes.items():
        for change in changes:
            yield SettingChanged(lane, change.role, change.setting, change.before, change.after)
    for lane, servers in closing.unread_settings.items():
        for each in servers:
            yield DurabilityNotReadAgain(
                lane, each.role, each.settings, each.timed_out, each.problem
            )
    for lane, ttls in closing.lifetimes.items():
        if ttls.unread or (lane in closing.filled and not ttls.checked):
            yield TtlNotRead(lane, ttls.checked, ttls.unread, ttls.timed_out, ttls.problem)
        if ttls.endless or ttls.longer:
            yield TtlNotKept(lane, ttls.checked, ttls.endless, ttls.longer, ttls.allowed_ms)


def _operation_delays(frame: LaneFrame) -> Iterator[OperationDelay]:
    for role, work in frame.roles:
        delay_us = work.scheduling_delay.mean_us
        if work.cpu_contention and delay_us is not None:
            yield OperationDelay(role, delay_us, work.service.mean_us)


def _uneven_servers(lanes: Mapping[str, Sequence[ServerFacts]]) -> Iterator[Caveat]:
    every = [(ServerPlace(lane, s.role), s) for lane, servers in lanes.items() for s in servers]
    databases = {
        place.lane: f"{server.product} {server.version}"
        for place, server in every
        if server.role == "database"
    }
    if len(set(databases.values())) > 1:
        yield DifferentDatabases(databases)
    plain = tuple(place for place, server in every if server.tls is TlsMode.OFF)
    encrypted = tuple(place for place, server in every if server.tls is not TlsMode.OFF)
    if plain and encrypted:
        yield UnevenTls(encrypted, plain)
    trips = [
        (server.round_trip_us, place) for place, server in every if server.round_trip_us is not None
    ]
    if trips:
        # Servers with equal round trips are ordered by role, then by lane.
        trips.sort(key=lambda trip: (trip[0], trip[1].role, trip[1].lane))
        (near_us, near), (far_us, far) = trips[0], trips[-1]
        if far_us - near_us > max(FAR_US, 0.5 * near_us):
            yield UnevenRoundTrips(far, far_us, near, near_us)


def _weak_durability(lane: str, durability: Mapping[str, str | int]) -> Iterator[WeakDurability]:
    if durability.get(ENGINE, UNREADABLE) != UNREADABLE:
        yield WeakDurability(lane, ENGINE, durability[ENGINE])
    flush = durability.get(FLUSH)
    if flush in (0, 2):
        yield WeakDurability(lane, FLUSH, flush)
    if durability.get(LOG_BIN) == "ON" and durability.get(SYNC_BINLOG) != 1:
        yield WeakDurability(lane, SYNC_BINLOG, durability.get(SYNC_BINLOG))
    if durability.get(SQL_LOG_BIN) == "OFF":
        yield WeakDurability(lane, SQL_LOG_BIN, "OFF")
    if durability.get(APPENDONLY) == "no":
        yield WeakDurability(lane, APPENDONLY, "no")
    elif durability.get(APPENDFSYNC) in ("everysec", "no"):
        yield WeakDurability(lane, APPENDFSYNC, durability[APPENDFSYNC])
