"""What the screen shows at one moment: a frozen picture, made from frames away from the screen's event loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.metrics.frame import Event, LaneState
from engines.metrics.stats import CacheStats
from tui.view.host_load import HostLoad
from tui.view.ranking import Rank


@dataclass(frozen=True, slots=True)
class RoleView:
    """The writers or readers of a lane.

    `rows_per_s` is over the last second and moves; `window_rows_per_s`, `operations_per_s` and the percentiles (None
    without values) are over the sliding window, in heats over the lane's last heat; `rows`, `operations`, `failed` and
    `errors` are totals since the race, the heat or a reset began.

    `p50_us` and `p99_us` are service times (reply minus send). In an open loop there are response times (reply minus
    due time) beside them, and `backlog` counts the operations that are due and have not begun. `processor_wait_us` is
    what telemon waited for a processor before it noticed replies, on average, over the same time.
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
        """The p99 that whoever asks would see, and lanes are ranked by: the response time where there is one. Service
        times alone hide that a lane falls behind what it is offered."""
        return self.p99_us if self.response_p99_us is None else self.response_p99_us


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One step of the charts (`POINT_S` seconds): rows per second, and the worst p99 of its intervals in us (None
    where nothing was measured), in an open loop of the response times. `warm` says that it is from the warm-up: shown,
    and no measure for anything."""

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
    """One lane. `cache` and `late` count since the start, `hit_ratio` is over the last second of reads; `points` run
    from the oldest to the newest; `places` maps "write", "read" and "p99" to a rank and a gap.

    `paced` says that it is in an open loop, `late` how many operations began late in it, `overloaded` that more than a
    second's worth of them waits. It is `waiting` at the start line, and in heats while others have their turn;
    `comparable` while it races, and in heats from its first on. `client_bound_by` says what of telemon's own may be
    limiting it; empty where nothing does.
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
    loop_lag_p99_us: float = 0.0
    client_bound_by: tuple[str, ...] = ()
    points: tuple[ChartPoint, ...] = ()
    axis: Axis = field(default_factory=Axis)
    places: Mapping[str, Rank] = field(default_factory=dict)

    def role(self, role: str) -> RoleView:
        """Return the numbers of the writers ("write") or of the readers ("read")."""
        return self.write if role == "write" else self.read

    @property
    def client_bound(self) -> bool:
        """Whether the lane may be limited by telemon and not by its servers."""
        return bool(self.client_bound_by)

    @property
    def rows(self) -> int:
        """Rows written and read: how far the lane has come on the race track."""
        return self.write.rows + self.read.rows


@dataclass(frozen=True, slots=True)
class CurrentHeat:
    """The heat that is on, or was the last: the lane's, in this round (from 1)."""

    round: int
    lane: str


@dataclass(frozen=True, slots=True)
class View:
    """All lanes at one moment. `elapsed_s` is the measured time (in heats, of this one), 0.0 while warming; `axis` the
    axes that all lanes share; `events` the latest ones, oldest first; `turn` is None where lanes race together;
    `reset_s` is the measured time at which the totals were last reset."""

    seq: int
    elapsed_s: float
    window_s: float
    lanes: tuple[LaneView, ...]
    axis: Axis = field(default_factory=Axis)
    turn: CurrentHeat | None = None
    reset_s: float | None = None
    events: tuple[Event, ...] = ()
    host: HostLoad | None = None
