"""The numbers on show at one moment: immutable, and made from frames outside of the screen's event loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.metrics.frame import Event, LaneState
from engines.metrics.stats import CacheStats
from tui.view.host_load import HostLoad
from tui.view.ranking import Rank


@dataclass(frozen=True, slots=True)
class RoleView:
    """The numbers of the writers or of the readers of a lane.

    `rows_per_s` is over the last second. `window_rows_per_s`, `operations_per_s` and the percentiles (None without
    values) are over the sliding window; with heats, over the lane's last heat. `rows`, `operations`, `failed` and
    `errors` are totals since the start of the race or the heat, or since a reset.

    `p50_us` and `p99_us` are service times (reply minus send). In an open loop `response_p50_us` and `response_p99_us`
    are response times (reply minus due time), and `backlog` is the number of operations that are due and have not
    begun. `scheduling_delay_us` is the mean delay until a processor was free to handle a reply, over the same time.
    """

    rows_per_s: float = 0.0
    window_rows_per_s: float = 0.0
    operations_per_s: float = 0.0
    p50_us: float | None = None
    p99_us: float | None = None
    response_p50_us: float | None = None
    response_p99_us: float | None = None
    scheduling_delay_us: float | None = None
    backlog: int = 0
    rows: int = 0
    operations: int = 0
    failed: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def ranking_p99_us(self) -> float | None:
        """Return the p99 as seen by the caller in us, by which lanes are ranked: the response time where there is one.

        Service times alone hide that a lane falls behind its offered rate.
        """
        return self.p99_us if self.response_p99_us is None else self.response_p99_us


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One point of the charts (`POINT_S` seconds).

    Rates are in rows per second. The p99 is the highest of the point's intervals in us (None where nothing was
    measured); in an open loop that of the response times. A `warm` point is from the warm-up: it is shown, but axes are
    not fitted to it.
    """

    write_rows_per_s: float
    read_rows_per_s: float
    write_p99_us: float | None
    read_p99_us: float | None
    warm: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """The tops of the charts' axes: rows per second, and p99 in us."""

    rows_per_s: float = 1.0
    p99_us: float = 1.0


@dataclass(frozen=True, slots=True)
class LaneView:
    """The numbers of one lane.

    `cache` and `late` are totals since the start. `hit_ratio` (0 to 1) is over the last second of reads. `points` are
    ordered from the oldest to the newest. `ranks` maps "write", "read" and "p99" to the lane's rank.

    `paced` says that the lane runs an open loop; `late` is the number of operations that began late in it; `overloaded`
    says that the backlog is more than a second's worth of operations. `waiting` is true while the lane is held at the
    start barrier, and with heats while another lane runs. `comparable` is true while the lane races; with heats, from
    its first heat on. `client_bound_by` names the limits of the client that the lane has reached; empty where there are
    none.
    """

    lane: str
    state: LaneState
    write: RoleView = field(default_factory=RoleView)
    read: RoleView = field(default_factory=RoleView)
    cache: CacheStats = field(default_factory=CacheStats)
    hit_ratio: float | None = None
    paced: bool = False
    late: int = 0
    overloaded: bool = False
    redirects: int = 0
    reconnects: int = 0
    waiting: bool = False
    comparable: bool = True
    cpu_share: float = 0.0
    client_bound_by: tuple[str, ...] = ()
    points: tuple[ChartPoint, ...] = ()
    axis: Axis = field(default_factory=Axis)
    ranks: Mapping[str, Rank] = field(default_factory=dict)

    def role(self, role: str) -> RoleView:
        """Return the numbers of the writers ("write") or of the readers ("read")."""
        return self.write if role == "write" else self.read

    @property
    def client_bound(self) -> bool:
        """Return whether the client rather than the servers may limit the lane."""
        return bool(self.client_bound_by)

    @property
    def rows(self) -> int:
        """Return the number of rows written and read: the lane's position on the race track."""
        return self.write.rows + self.read.rows


@dataclass(frozen=True, slots=True)
class CurrentHeat:
    """The heat that runs now or ran last: its lane and its round (from 1)."""

    round: int
    lane: str


@dataclass(frozen=True, slots=True)
class View:
    """All lanes at one moment.

    `elapsed_s` is the measured time in seconds (with heats, of this heat); 0.0 during the warm-up. `axis` are the axes
    that all lanes share. `events` are the latest ones, oldest first. `current_heat` is None where lanes race together.
    `reset_s` is the measured time in seconds at which the totals were last reset; None if they never were.
    """

    seq: int
    elapsed_s: float
    window_s: float
    lanes: tuple[LaneView, ...]
    axis: Axis = field(default_factory=Axis)
    current_heat: CurrentHeat | None = None
    reset_s: float | None = None
    events: tuple[Event, ...] = ()
    host: HostLoad | None = None
