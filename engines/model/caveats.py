"""Caveats: typed facts that limit how far the numbers of a race can be compared or trusted.

Code decides on the class of a caveat and on its fields. `engines.results.caveat_text` makes the sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engines.model.read_back import LostRow
from engines.model.roles import Role


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """The place of a server in the race: its lane and its role there ("database", "cache" or "store")."""

    lane: str
    role: str


@dataclass(frozen=True, slots=True)
class VolatileStorage:
    """Private servers that keep their data in memory: `file_system` is the type of their file system."""

    file_system: str


@dataclass(frozen=True, slots=True)
class SmallServers:
    """Private servers whose buffer pools and cache have `size_bytes` each, not `usual_bytes`, for lack of memory."""

    size_bytes: int
    usual_bytes: int


class OpenBusReason(StrEnum):
    """Why the bus of the private cluster is not encrypted."""

    NO_OPENSSL = "no_openssl"
    """There is no openssl program to make the certificate with."""
    OPENSSL_FAILED = "openssl_failed"
    """The openssl program made no certificate."""
    NO_TLS = "no_tls"
    """The server program knows no TLS, or refuses the certificate."""


@dataclass(frozen=True, slots=True)
class OpenClusterBus:
    """A private cluster whose nodes talk to each other without TLS, so that other users of the machine can join in."""

    lane: str
    reason: OpenBusReason


@dataclass(frozen=True, slots=True)
class SharedServer:
    """One server that several lanes use. `product` is "" unless the product was read before the race."""

    lanes: tuple[str, ...]
    product: str = ""


@dataclass(frozen=True, slots=True)
class UnreadableCounters:
    """A lane whose servers refuse to show their counters. `reason` is their error message."""

    lane: str
    reason: str


@dataclass(frozen=True, slots=True)
class AssumedStandalone:
    """A Redis server of a lane that refuses to say whether it is in a cluster, and is taken for one in none.

    `server` names the server. `reason` is its error message. `shown` says whether INFO says that it is in none.
    """

    lane: str
    server: str
    reason: str
    shown: bool


@dataclass(frozen=True, slots=True)
class NoLease:
    """A server of a lane that keeps no lease for telemon, so that nothing keeps another telemon off it.

    `server` names the server. `reason` is its error message.
    """

    lane: str
    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class LostLease:
    """A lease of a lane that was lost during the race.

    `server` names the server. `holder` is the telemon that has it now, "" if none was seen.
    """

    lane: str
    server: str
    holder: str = ""


@dataclass(frozen=True, slots=True)
class LaneNote:
    """A sentence about one lane that was written when its servers were read, see `LaneInfo.notes`."""

    lane: str
    note: str


@dataclass(frozen=True, slots=True)
class DifferentDatabases:
    """Lanes whose databases differ: product and version, by lane."""

    databases: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UnevenTls:
    """Connections to some servers are encrypted and to others are not."""

    encrypted: tuple[ServerPlace, ...]
    plain: tuple[ServerPlace, ...]


@dataclass(frozen=True, slots=True)
class UnevenRoundTrips:
    """The servers with the longest and the shortest round trip, where these differ much."""

    far: ServerPlace
    far_us: float
    near: ServerPlace
    near_us: float


@dataclass(frozen=True, slots=True)
class WeakDurability:
    """A server setting by which a crash can lose acknowledged writes of a lane."""

    lane: str
    setting: str
    value: str | int | None


@dataclass(frozen=True, slots=True)
class DuplicateFillsPerProcess:
    """Duplicate fills are counted within each of several engine processes, not between them."""

    processes: int


@dataclass(frozen=True, slots=True)
class CacheNotReset:
    """The cache is brought to its start state (`cache_start`) before the first round of heats only."""

    cache_start: str


@dataclass(frozen=True, slots=True)
class SharedMachine:
    """The private servers of several lanes run at the same time on the machine of telemon, which has `cpus`."""

    cpus: int | None


@dataclass(frozen=True, slots=True)
class ProcessorLimit:
    """The part of the machine's processors that telemon may use."""

    limit: float
    cpus: int


@dataclass(frozen=True, slots=True)
class SeparateReleases:
    """Lanes that were released one by one: the measured time of each in seconds."""

    durations_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ClientBound:
    """A lane that telemon limited rather than its servers. `reason` says by which measurements."""

    lane: str
    reason: str


@dataclass(frozen=True, slots=True)
class OperationDelay:
    """The mean scheduling delay in operations of one role, beside their mean service time."""

    role: Role
    delay_us: float
    service_us: float


@dataclass(frozen=True, slots=True)
class CpuContention:
    """A lane whose engine processes waited for a processor. A delay below the threshold is left out."""

    lane: str
    operations: tuple[OperationDelay, ...]
    loop_lag_p99_us: float | None


@dataclass(frozen=True, slots=True)
class Overloaded:
    """A lane that could not keep up with the offered load. `backlog_max` is in operations."""

    lane: str
    backlog_max: int


@dataclass(frozen=True, slots=True)
class NoSuccess:
    """A role of a lane of which no operation succeeded in the measured time. `earlier` says whether one did before."""

    lane: str
    role: Role
    earlier: bool


@dataclass(frozen=True, slots=True)
class WrongContent:
    """A lane in which `reads` replies were no row of the car asked for."""

    lane: str
    reads: int


@dataclass(frozen=True, slots=True)
class RowsLost:
    """Acknowledged rows of a lane that its servers do not hold: see `engines.model.read_back.ReadBack`."""

    lane: str
    checked: int
    missing: int
    older: int
    different: int
    examples: tuple[LostRow, ...]


@dataclass(frozen=True, slots=True)
class CommitsShort:
    """A lane whose MySQL server committed fewer writes than it acknowledged."""

    lane: str
    acknowledged: int
    committed: int


@dataclass(frozen=True, slots=True)
class NotReadBack:
    """A lane of whose acknowledged rows some or all could not be read back. `problem` is "" if it was too late."""

    lane: str
    unread: int
    problem: str


@dataclass(frozen=True, slots=True)
class SettingChanged:
    """A durability setting of a lane's server (`role`) that changed during the race: the result states `before`."""

    lane: str
    role: str
    setting: str
    before: str | int
    after: str | int


@dataclass(frozen=True, slots=True)
class DurabilityNotReadAgain:
    """Durability settings of a lane's server that may have changed: see `engines.model.read_back.UnreadSettings`."""

    lane: str
    role: str
    settings: tuple[str, ...]
    timed_out: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TtlNotRead:
    """A lane's cache whose times to live are not known: see `engines.model.read_back.CacheLifetimes`.

    `unread` is 0 if none of the keys was there that were asked for, although the race had filled some.
    """

    lane: str
    checked: int
    unread: int
    timed_out: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TtlNotKept:
    """Keys of a lane's cache that never expire (`endless`) or stay longer than the TTL of any fill (`longer`)."""

    lane: str
    checked: int
    endless: int
    longer: int
    allowed_ms: int


@dataclass(frozen=True, slots=True)
class KeysEvicted:
    """A lane whose cache or store removed keys for lack of memory, telemon's or others'."""

    lane: str
    evicted: int


UNTRUE = RowsLost | CommitsShort | SettingChanged | TtlNotKept
"""Caveats that contradict what a result claims: the race has failed."""

Caveat = (
    VolatileStorage
    | SmallServers
    | OpenClusterBus
    | SharedServer
    | UnreadableCounters
    | AssumedStandalone
    | NoLease
    | LostLease
    | LaneNote
    | DifferentDatabases
    | UnevenTls
    | UnevenRoundTrips
    | WeakDurability
    | DuplicateFillsPerProcess
    | CacheNotReset
    | SharedMachine
    | ProcessorLimit
    | SeparateReleases
    | ClientBound
    | CpuContention
    | Overloaded
    | NoSuccess
    | RowsLost
    | CommitsShort
    | NotReadBack
    | SettingChanged
    | DurabilityNotReadAgain
    | TtlNotKept
    | TtlNotRead
    | KeysEvicted
    | WrongContent
)
"""Every kind of caveat."""
