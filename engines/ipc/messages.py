"""Messages between the race and its engine processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.config.settings import LoadConfig
from engines.endpoints.address import FoundAddress
from engines.endpoints.endpoint import LaneEndpoints
from engines.ipc.schedule import Schedule
from engines.metrics.histogram import EMPTY, LatencyDistribution
from engines.metrics.node_counts import CountsByNode
from engines.metrics.stats import IntervalStats
from engines.model.roles import Role
from engines.workload.streams import Row


@dataclass(frozen=True, slots=True)
class ServerSharing:
    """How many engine processes, of all lanes and roles, connect to the MySQL and to the Redis server of a lane."""

    mysql: int = 1
    redis: int = 1


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """The task of an engine process: one role of one lane, as process number `process` of `processes`."""

    lane: str
    role: Role
    process: int
    processes: int
    connections: int
    load: LoadConfig
    endpoints: LaneEndpoints
    rate_per_s: float | None = None
    """Operations per second of this lane and role, over all its processes; None in a closed loop. `load.rate_per_s`
    does not say whether the loop is open."""
    first_version: int = 2
    keep_versions: bool = False
    """Whether to keep the last acknowledged version of every key, and to send it at the end."""
    sharing: ServerSharing = ServerSharing()
    """With how many engine processes the limits on reconnecting to the lane's servers are shared."""
    answered: Mapping[str, FoundAddress] = field(default_factory=dict)
    """By "host:port" of a name with several addresses, the one that answered the race."""


@dataclass(frozen=True, slots=True)
class Ready:
    """All connections of the engine process are open."""


@dataclass(frozen=True, slots=True)
class OpenProgress:
    """How many of its `wanted` connections the engine process has opened; sent while it opens them, and once it has.

    `waiting_for` is the server of the next one as "host:port", empty if all are open.
    """

    opened: int
    wanted: int
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class NotReady:
    """The engine process still waits for a connection: its address, and why the last attempt failed."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class MeasureOverhead:
    """Request to measure the client overhead against the null server at these ports, before the race."""

    mysql_port: int
    redis_port: int


@dataclass(frozen=True, slots=True)
class OverheadMeasured:
    """The median service time in us of an operation against the null server; 0.0 if it did not answer."""

    overhead_us: float


@dataclass(frozen=True, slots=True)
class StartRun:
    """Start by this schedule; with `held`, wait after the warm-up for `StartMeasuring`."""

    schedule: Schedule
    held: bool = False


@dataclass(frozen=True, slots=True)
class StartMeasuring:
    """Release of a held engine process.

    It races from `at_ns`, measures from `measure_from_ns`, and issues nothing from `stop_ns` on. The times are of the
    machine-wide clock, in ns. After the drain the engine process ends, or, unless this is `final`, returns to the start
    barrier and sends `HeatDone`.
    """

    at_ns: int
    measure_from_ns: int
    stop_ns: int | None
    final: bool = True


@dataclass(frozen=True, slots=True)
class HeatDone:
    """The engine process is back at the start barrier, and everything it did is reported."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Request to issue nothing more, wait for the operations in flight, and end."""


@dataclass(frozen=True, slots=True)
class IntervalReport:
    """The statistics of an engine process for interval `index`.

    `warm` holds the operations that began before measuring did: all of them during the warm-up, stragglers after it.
    `closed_connections` counts the connections that are down at the end of the interval. `problem` says why the last
    one could not be opened. `last` marks the last report. `violation` names a server, what was expected of it and what
    came instead, if a reply in the interval was none; empty otherwise.
    """

    index: int
    ended_ns: int
    measured: IntervalStats
    warm: IntervalStats
    cpu_share: float
    loop_lag: LatencyDistribution
    redirects: int
    reconnects: int
    closed_connections: int
    problem: str
    paused: bool
    held: bool = False
    """Whether the engine process waits at the start barrier."""
    backlog: int = 0
    """Operations that were due by the end of the interval and had not started."""
    late: int = 0
    """Operations that started late."""
    cpu_loop_lag: LatencyDistribution = EMPTY
    """The part of the loop lag that is the engine process's own CPU time, sampled."""
    last: bool = False
    violation: str = ""


@dataclass(frozen=True, slots=True)
class NodeCountsReport:
    """The counts of each Redis node; sent before the last interval report."""

    node_counts: CountsByNode


@dataclass(frozen=True, slots=True)
class AcknowledgedVersions:
    """The last acknowledged version of every written key; sent before the last report if the spec asks for it."""

    versions: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class AcknowledgedRows:
    """A sample of the rows that were acknowledged to a writer process; sent before its last report.

    `unanswered` holds the first and the last version of each batch that was sent and not answered. The versions are
    those of this process alone.
    """

    rows: tuple[Row, ...]
    unanswered: tuple[tuple[int, int], ...]
