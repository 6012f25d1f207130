"""What a race and its engine processes say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.endpoints.endpoint import LaneEndpoints
from engines.ipc.schedule import Schedule
from engines.metrics.histogram import EMPTY, LatencyDistribution
from engines.metrics.node_counts import CountsByNode
from engines.metrics.stats import IntervalStats
from engines.model.roles import Role
from engines.workload.key_distribution import UNIFORM, KeyDistribution


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine process is for: one role of one lane, as process number `process` of `processes`."""

    lane: str
    role: Role
    process: int
    processes: int
    connections: int
    preset: str
    seed: int
    batch: int
    ttl_s: float
    endpoints: LaneEndpoints
    ttl_jitter: float = 0.0
    """The share by which a TTL may be longer or shorter, at random: 0.1 spreads 120 s over 108 to 132."""
    shape: KeyDistribution = UNIFORM
    rate_per_s: float | None = None
    """Operations per second of this lane and role, over all its processes; None: as fast as it goes."""
    first_version: int = 2
    ledger: bool = False
    """Whether to keep the last acknowledged version of every car, and to hand it over at the end."""


@dataclass(frozen=True, slots=True)
class Ready:
    """All connections of the engine stand."""


@dataclass(frozen=True, slots=True)
class NotReady:
    """The engine is still waiting for a connection: which, and why the last attempt failed."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class MeasureOverhead:
    """Measure, before the race, what telemon itself costs against the null server at these ports."""

    mysql_port: int
    redis_port: int


@dataclass(frozen=True, slots=True)
class OverheadMeasured:
    """The median service time of an operation against the null server; 0.0 where it did not answer."""

    overhead_us: float


@dataclass(frozen=True, slots=True)
class StartRun:
    """Race by this schedule; with `held`, wait after the warm-up for `Begin`."""

    schedule: Schedule
    held: bool = False


@dataclass(frozen=True, slots=True)
class StartMeasuring:
    """To engines that are held: race from `at_ns` and measure from `measure_from_ns` on, and begin no new operation
    from `stop_ns` on. Then end, or, unless it is `final`, go back to the start line and say `Rested`."""

    at_ns: int
    measure_from_ns: int
    stop_ns: int | None
    final: bool = True


@dataclass(frozen=True, slots=True)
class HeatDone:
    """The engine is back at the start line, and all that it did is reported."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Begin no new operation, wait for those under way, and end."""


@dataclass(frozen=True, slots=True)
class IntervalReport:
    """What an engine did in interval `index`.

    `warm` holds the operations that began before measuring did: all of them during the warm-up, stragglers after it.
    `closed_links` counts the connections that are down at its end; `trouble` says why the last one could not be
    opened. `last` marks the end of the engine's race.
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
    """Whether the engine waits at the start line."""
    backlog: int = 0
    """Operations that were due at the end of the interval and had not begun."""
    late: int = 0
    """Operations that began late."""
    cpu_loop_lag: LatencyDistribution = EMPTY
    """The share of the engine's own work in its loop lag, sampled."""
    last: bool = False


@dataclass(frozen=True, slots=True)
class NodeCountsReport:
    """What the engine had of each Redis node; sent before the last delta."""

    node_counts: CountsByNode


@dataclass(frozen=True, slots=True)
class AcknowledgedVersions:
    """The last acknowledged version of every car that the engine wrote; sent before the last delta when asked for."""

    versions: Mapping[int, int]
