"""Sentences for caveats. No other module of `engines` or `tui` words a caveat. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engines.errors import DOCTOR_HINT
from engines.model.caveats import (
    AssumedStandalone,
    CacheNotReset,
    Caveat,
    ClientBound,
    CommitsShort,
    CpuContention,
    DifferentDatabases,
    DuplicateFillsPerProcess,
    DurabilityNotReadAgain,
    KeysEvicted,
    LaneNote,
    LostLease,
    NoLease,
    NoSuccess,
    NotReadBack,
    OpenBusReason,
    OpenClusterBus,
    Overloaded,
    ProcessorLimit,
    RowsLost,
    SeparateReleases,
    ServerPlace,
    SettingChanged,
    SharedMachine,
    SharedServer,
    SmallServers,
    TtlNotKept,
    TtlNotRead,
    UnevenRoundTrips,
    UnevenTls,
    UnreadableCounters,
    VolatileStorage,
    WeakDurability,
    WrongContent,
)
from engines.model.lanes import LANES
from engines.model.roles import CONNECTIONS
from engines.model.server_facts import (
    APPENDFSYNC,
    APPENDONLY,
    ENGINE,
    FLUSH,
    SQL_LOG_BIN,
    SYNC_BINLOG,
)

CONSEQUENCES = {
    FLUSH: "a commit does not wait for the disk",
    SYNC_BINLOG: "a commit does not wait for its binary log",
    ENGINE: "a write is in no transaction, so that nothing is committed",
    SQL_LOG_BIN: "a commit is not in the binary log, so that no replica has it",
    APPENDONLY: "a SET is kept in memory only",
    APPENDFSYNC: "a SET does not wait for the disk",
}
"""What a weak durability setting means. `WeakDurability.setting` must be one of these keys."""


OPEN_BUS_REASONS = {
    OpenBusReason.NO_OPENSSL: "no openssl program is installed to make their certificate with",
    OpenBusReason.OPENSSL_FAILED: "the openssl program made no certificate for them",
    OpenBusReason.NO_TLS: "their server program is built without TLS",
}
"""What keeps the bus of the private cluster open."""


def caveat_sentences(caveats: Iterable[Caveat]) -> tuple[str, ...]:
    """Return one sentence per caveat, without repetitions.

    A `LaneNote` is left out if it repeats the sentence of a caveat about all lanes.
    """
    caveats = tuple(caveats)
    common = {describe_caveat(caveat) for caveat in caveats if not isinstance(caveat, LaneNote)}
    return tuple(
        dict.fromkeys(
            describe_caveat(caveat)
            for caveat in caveats
            if not (isinstance(caveat, LaneNote) and caveat.note in common)
        )
    )


def describe_caveat(caveat: Caveat) -> str:
    """Return the sentence for a caveat, without a full stop."""
    match caveat:
        case VolatileStorage(file_system):
            return f"data on {file_system}: memory, not a disk, so a commit costs nothing here"
        case SmallServers(size_bytes, usual_bytes):
            return (
                f"little memory was free: the buffer pools and the cache of the private servers have "
                f"{size_bytes >> 20} MiB each, not {usual_bytes >> 20}; compare only with races that had the same"
            )
        case OpenClusterBus(lane, reason):
            return (
                f"the nodes of lane {lane}'s private cluster talk to each other without TLS, because "
                f"{OPEN_BUS_REASONS[reason]}: another user of this machine can join the cluster and take slots from it"
            )
        case SharedServer(lanes, product):
            server = f"{product} server" if product else "server"
            return f"lanes {' and '.join(lanes)} share one {server}: each slows the other down"
        case UnreadableCounters(lane, reason):
            return (
                f"lane {lane}: its servers' own counters cannot be read ({reason}); {DOCTOR_HINT}"
            )
        case AssumedStandalone(lane, server, reason, shown):
            told = (
                "as INFO says"
                if shown
                else "which INFO does not say: if it is in one, an operation that it sends to another node fails"
            )
            return (
                f"lane {lane}: {server} refuses CLUSTER SLOTS ({reason}) and is taken for a server in no cluster, "
                f"{told}"
            )
        case NoLease(lane, server, reason):
            return f"lane {lane}: nothing keeps another telemon off {server}: it gives this user no lease ({reason})"
        case LostLease(lane, server, holder):
            other = f"another telemon ({holder}) races" if holder else "another telemon may race"
            return (
                f"lane {lane}: the lease on {server} was lost during the race: {other} in the same "
                "namespace, and these figures may be those of both"
            )
        case LaneNote(lane, note):
            return f"{lane}: {note}"
        case DifferentDatabases(databases):
            return f"the databases are not the same: {_databases(databases)}"
        case UnevenTls(encrypted, plain):
            return f"TLS costs {_places(encrypted)} and not {_places(plain)}"
        case UnevenRoundTrips(far, far_us, near, near_us):
            return (
                f"a round trip to {_place(far)} takes {far_us:,.0f} us, "
                f"to {_place(near)} {near_us:,.0f} us"
            )
        case WeakDurability(lane, setting, value):
            return f"{lane}: {CONSEQUENCES[setting]} ({setting} = {value})"
        case DuplicateFillsPerProcess(processes):
            return f"duplicate fills are counted within each of the {processes} engine processes"
        case CacheNotReset(cache_start):
            return (
                f"the cache is {cache_start} before the first round only; "
                "later rounds find it as the one before left it"
            )
        case SharedMachine(cpus):
            return (
                f"telemon and the private servers of all lanes share this machine's {cpus} processors: a lane that "
                "does more leaves less to the others; --heats gives each the machine to itself"
            )
        case ProcessorLimit(limit, cpus):
            return f"telemon may use {limit:g} of the machine's {cpus} processors"
        case SeparateReleases(durations_s):
            times = ", ".join(f"{lane} {time_s:.1f} s" for lane, time_s in durations_s.items())
            return (
                f"the lanes were released one by one and measured at times of their own: {times}; their rates compare, "
                "their totals only as far as these times are equal"
            )
        case ClientBound(lane, reason):
            return f"{lane}: client-bound ({reason}): telemon and not the servers may be what limits it"
        case CpuContention():
            return (
                f"{caveat.lane}: short of processors: telemon had to wait for one, {_delays(caveat)}: latencies say "
                "as much of this machine as of the servers"
            )
        case Overloaded(lane, backlog_max):
            return (
                f"{lane}: overloaded, it did less than was offered: up to {backlog_max:,} operations were due and had "
                "not begun; its response times grow with the length of the race"
            )
        case NoSuccess(lane, role, earlier):
            done = "acknowledged" if role == "write" else "answered"
            before = ", though some were before it" if earlier else ""
            return (
                f"{lane}: no {role} was {done} in the measured time{before}: its {CONNECTIONS[role]} have no rate "
                "and no latency to compare; fewer connections (writers, readers), smaller batches or a longer race may "
                "bring some"
            )
        case WrongContent(lane, reads):
            return (
                f"{lane}: {reads:,} reads brought something else than a row of the car asked for (wrong content): they "
                "count as no rows and no hits; another application may use telemon's keys or table, or what answers "
                "is not the server itself"
            )
        case RowsLost(lane, checked):
            return (
                f"{lane}: acknowledged rows are lost: of {checked:,} that were read back on a new connection, "
                f"{_losses(caveat)}; what this lane wrote is not stored as its servers acknowledged it"
            )
        case CommitsShort(lane, acknowledged, committed):
            return (
                f"{lane}: MySQL acknowledged {acknowledged:,} writes and committed {committed:,}: what it did not "
                "commit is not stored, and costs less than a commit"
            )
        case NotReadBack(lane, unread, problem):
            why = problem or "its servers did not answer in time"
            return f"{lane}: {unread:,} acknowledged rows were not read back at the end: {why}"
        case KeysEvicted(lane, evicted):
            what = "cache" if LANES[lane].has_cache else "store"
            return (
                f"{lane}: its {what} removed {evicted:,} keys for lack of memory (maxmemory): misses are of its size, "
                "not of the TTL"
            )
        case SettingChanged(lane, role, setting, before, after):
            return (
                f"{lane}: {setting} of its {role} was {before} when the race began and {after} when it ended, so "
                "that its figures are of no single setting"
            )
        case DurabilityNotReadAgain(lane, role, settings, timed_out, problem):
            late = "it did not answer in time" if timed_out else "it shows them no more"
            return (
                f"{lane}: durability not read again: {_listed(settings)} of its {role} may have changed during the "
                f"race ({problem or late})"
            )
        case TtlNotRead(lane, _, 0):
            return f"{lane}: TTL not checked: of the keys that were asked for at the end none was left in its cache"
        case TtlNotRead(lane, checked, unread, timed_out, problem):
            late = "it did not answer in time" if timed_out else "its answer is no time"
            return (
                f"{lane}: TTL not checked: that of {unread:,} of {checked + unread:,} keys in its cache could not be "
                f"read at the end ({problem or late})"
            )
        case TtlNotKept(lane, checked, endless, longer, allowed_ms):
            return (
                f"{lane}: of {checked:,} keys in its cache {endless:,} never expire and {longer:,} stay longer than "
                f"{allowed_ms / 1000:g} s, the longest TTL that was asked for"
            )


def _losses(lost: RowsLost) -> str:
    kinds = (
        (lost.missing, "missing"),
        (lost.older, "older than acknowledged"),
        (lost.different, "different from what was written"),
    )
    counts = " and ".join(f"{number:,} are {kind}" for number, kind in kinds if number)
    row = lost.examples[0]
    stored = "no row" if row.stored is None else f"version {row.stored}"
    return f"{counts} (car {row.car_id}: version {row.acknowledged} acknowledged, {stored} stored)"


def _delays(caveat: CpuContention) -> str:
    delays = [
        f"on average {each.delay_us:,.0f} us in a {each.role} of {each.service_us:,.0f} us"
        for each in caveat.operations
    ]
    if caveat.loop_lag_p99_us is not None:
        lag_ms = caveat.loop_lag_p99_us / 1000
        delays.append(f"so that replies waited up to {lag_ms:.1f} ms (p99) for it")
    return " and ".join(delays)


def _databases(databases: Mapping[str, str]) -> str:
    return _listed([f"that of lane {lane} is {name}" for lane, name in databases.items()])


def _places(places: Sequence[ServerPlace]) -> str:
    return _listed([_place(place) for place in places])


def _place(place: ServerPlace) -> str:
    return f"the {place.role} of lane {place.lane}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
